"""What a question is for: training, a test of what was held out of it, or a test of users' texts."""

from typing import Literal, get_args

# Of questions on the catalogue; docs/architecture.md says what each is.
CatalogueSplit = Literal["train", "heldout_formulation", "heldout_label", "heldout_negative"]
CATALOGUE_SPLITS: tuple[CatalogueSplit, ...] = get_args(CatalogueSplit)
SPLITS = (*CATALOGUE_SPLITS, "test")
