"""The section `train` without the sections of the families, which are in `models/`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pix2street.settings.section import Count, Device, Section, Seed

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


class Run(Section):
    """The length of a training, and what it saves and shows meanwhile."""

    seed: Seed
    epochs: Count
    batch: Count
    schedule: Literal["constant", "linear"]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    keep: Literal["last", "best"]
    sample_every_epochs: Count
    sample_pairs: Count
    checkpoint_every_steps: Annotated[int, Field(ge=0)]
    max_checkpoint_gib: Annotated[float, Field(gt=0)]


class Data(Section):
    """The encoding, style and augmentation of the pairs of train."""

    encoding: Literal["color", "onehot"]
    style: Literal["none", "code", "palette"]
    pairing: Literal["together", "apart"]
    jitter: bool
    mirror: bool
    holdout_pairs: Annotated[int, Field(ge=0)]


class Devices(Section):
    """The devices of a training, its precision and its speed."""

    device: Device
    strategy: Literal["one_device", "mirrored", "multi_worker"]
    deterministic: bool
    precision: Precision
    jit_compile: bool
    steps_per_call: Count
    cache_mib: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _compiled_for_one_device(self) -> Self:
        if self.jit_compile and self.strategy != "one_device":
            raise ValueError(f"jit_compile needs strategy: one_device, but it is {self.strategy}; choose false")
        return self


class Train(Section):
    """The chosen family, and the settings that all families share; `params.py` adds a section for every family."""

    model: str
    run: Run
    data: Data
    device: Devices

    @property
    def family(self) -> Section:
        """The section of the chosen family."""
        return getattr(self, self.model)

    @model_serializer(mode="wrap")
    def _without_other_families(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if name in Train.model_fields or name == self.model}

    @model_validator(mode="after")
    def _the_best_needs_a_measure(self) -> Self:
        if self.run.keep == "best" and not self.data.holdout_pairs:
            raise ValueError(
                "run.keep: best needs data.holdout_pairs of at least 1, because it never looks at val and test"
            )
        return self


MOVED = {
    "evaluate.split": "evaluate.subset",
    "train.checkpoint": "train.run.keep",
    "train.input_encoding": "train.data.encoding",
    "train.learning_rate": "train.pix2pix.generator_rate and train.pix2pix.discriminator_rate",
    "train.generator": "train.model",
    **{f"train.{key}": f"train.run.{key}" for key in Run.model_fields if key != "keep"},
    **{f"train.{key}": f"train.data.{key}" for key in Data.model_fields if key not in ("encoding", "style", "pairing")},
    **{f"train.{key}": f"train.device.{key}" for key in Devices.model_fields},
    **{
        f"train.{key}": f"train.pix2pix.{key}"
        for key in (
            "norm",
            "upsample",
            "generator_filters",
            "discriminator_filters",
            "beta_1",
            "l1_weight",
            "disc_loss_weight",
            "product_side_px",
        )
    },
}
"""Former keys of `params.yaml`, and the keys that they are now."""
