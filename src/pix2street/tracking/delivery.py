"""Delivery of records to the store: a run is found or created, given what its spool holds, and closed."""

from functools import partial

from mlflow import MlflowClient
from mlflow.entities import Param, Run, RunStatus
from mlflow.exceptions import MlflowException

from pix2street.core.errors import UserError
from pix2street.layout import Layout
from pix2street.tracking.description import (
    DVC_EXPERIMENT_TAG,
    KEY_TAG,
    PARAMS_TAG,
    WEIGHTS_TAG,
    RunDescription,
    now_ms,
)
from pix2street.tracking.probe import one_line
from pix2street.tracking.records import End, Record, Target
from pix2street.tracking.saved_view import view_tag
from pix2street.tracking.spool import NoSpool, Spool
from pix2street.tracking.store import connect, experiment_of, store_key

REFUSALS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
"""Errors of a store that will never take a record."""

PARAMS_AT_ONCE = 100
"""The number of parameters that a server takes in one request."""

FAILURES_AT_MOST = 3
"""Runs that may fail to be delivered before the store counts as away again."""


class Delivery:
    """The store, and one run in it: found, or created with the start time that it had."""

    def __init__(self, layout: Layout, spool: Spool | NoSpool):
        """Open the store and find or create the run, which `spool` describes, and note its id."""
        self._spool = spool
        client = connect(layout)
        if spool.description.run_id is None:
            self._find_or_create(layout, client)
        run = spool.description
        self._target = Target(client, run.experiment_id, run.run_id, run.key)

    def deliver_owed(self) -> list[str]:
        """Send all that the spool holds; return why the store will never take the records that it refused."""
        refused = []
        for name, record in self._spool.owed():
            if self._spool.description.made or not record.only_if_made:
                refused += self.deliver(record)
            self._spool.drop(name)
        return refused

    def deliver(self, record: Record) -> list[str]:
        """Send one record; return why the store will never take it, nothing where it did."""
        try:
            record.send(self._target)
        except UserError as error:
            return [str(error)]
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
            return [one_line(error)]
        if isinstance(record, End):
            self._spool.note(ended=True)
        return []

    def _find_or_create(self, layout: Layout, client: MlflowClient) -> None:
        run = self._spool.description
        view = view_tag(run.curves, run.parameters) if run.curves else None
        experiment_id = experiment_of(layout, client, view)
        newest = partial(_newest, client, experiment_id)
        found = newest(f"tags.`{KEY_TAG}` = '{run.key}'")
        created = found is not None and run.making
        if found is None and run.weights:
            found = newest(_equal_runs(run))
        if found is None:
            self._spool.note(making=True)
            found = client.create_run(experiment_id, run.start_ms, {**run.tags, KEY_TAG: run.key}, run.name)
            created = True
        if created:
            params = [Param(*param) for param in run.params.items()]
            for start in range(0, len(params), PARAMS_AT_ONCE):
                client.log_batch(found.info.run_id, params=params[start : start + PARAMS_AT_ONCE])
        self._spool.note(run_id=found.info.run_id, experiment_id=experiment_id, made=created)


def deliver_all(layout: Layout) -> int:
    """Deliver all records that were kept for this store; return the number of runs.

    Records that are kept for other stores, and runs that another process works on, remain.

    Raises:
        UserError: the store cannot be reached, or does not take everything.
    """
    try:
        connect(layout)
        delivered, errors = deliver_others(layout)
    except Exception as error:
        raise UserError(f"nothing was recorded, all is kept in {layout.spool}: {one_line(error)}") from error
    if errors:
        raise UserError(f"not all was recorded, the rest is kept in {layout.spool}: {one_line(errors[0])}")
    return delivered


def deliver_others(layout: Layout) -> tuple[int, list[Exception]]:
    """Record what other processes left, and close interrupted runs; return the number of runs, and the failures."""
    delivered, errors = 0, []
    for spool in Spool.unclaimed(layout.spool):
        try:
            run = spool.description
            # A run that is not whole waits for its stage, which will run again.
            if run.store != store_key() or not run.whole:
                continue
            owed = spool.owed()
            if not isinstance(owed[-1][1], End) if owed else not run.ended:
                spool.append(End(status=RunStatus.to_string(RunStatus.KILLED), ms=now_ms()))
            Delivery(layout, spool).deliver_owed()
            spool.remove()
            delivered += 1
        except Exception as error:  # noqa: BLE001
            errors.append(error)
            if len(errors) == FAILURES_AT_MOST:  # the store is away again; one run that fails stops no other
                break
        finally:
            spool.close()
    return delivered, errors


def _newest(client: MlflowClient, experiment_id: str, query: str) -> Run | None:
    """Return the newest run that `query` finds."""
    found = client.search_runs([experiment_id], query, max_results=1, order_by=["attributes.start_time DESC"])
    return found[0] if found else None


def _equal_runs(run: RunDescription) -> str:
    """Return the query for runs of these weights under these parameters.

    A DVC experiment has a separate run, even if another run has the same training.
    """
    tags = {WEIGHTS_TAG: run.weights, PARAMS_TAG: run.tags[PARAMS_TAG]}
    if DVC_EXPERIMENT_TAG in run.tags:
        tags[DVC_EXPERIMENT_TAG] = run.tags[DVC_EXPERIMENT_TAG]
    return " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())
