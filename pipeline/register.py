"""register: add a model to the registry if it keeps its limits; else refuse it and say why."""

from pix2street.core.errors import UserError
from pix2street.core.files import read_json, sha256_of, with_keys, write_json
from pix2street.layout import Layout
from pix2street.params import Params
from pix2street.stage import run_stage


def main(params: Params, layout: Layout) -> None:
    from pix2street.steps.register import as_text, decide, failures_of
    from pix2street.tracking.registry import register_accepted, withdraw_refused
    from pix2street.tracking.run import Run

    register = params.register_
    metrics = read_json(layout.metrics, with_keys("generated"))
    decision = decide(metrics, sha256_of(layout.generator / "generator.weights.h5"), register)
    write_json(layout.decision, decision)
    print(f"register: {register.model} is {as_text(decision)}")
    with Run.of_weights(layout, params.model_dump(by_alias=True)) as run:
        run.record_metrics(metrics)
        run.record_decision()
        run.record_hashes("register")
        bring_in_line = register_accepted if decision["accepted"] else withdraw_refused
        bring_in_line(layout, run.id, register.model, decision)
    if register.required and not decision["accepted"]:
        faults = "\n".join(f"  {line}" for line in failures_of(decision))
        raise UserError(
            f"register.required: {register.model} must keep its limits, but does not; train better, or change "
            f"the limits before the next run:\n{faults}"
        )


if __name__ == "__main__":
    run_stage(main)
