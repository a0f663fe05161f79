"""Jobs that compute ask no server: compute nodes have no internet, and a library that tries waits in vain."""

import os
import sys

VARIABLES = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def close_hub() -> None:
    """Keep this process, and those that it starts, from asking the Hub.

    The variables are read when huggingface_hub, transformers and datasets are imported, so this comes before.
    """
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    constants = sys.modules.get("huggingface_hub.constants")
    if constants is not None:  # imported already, where a program calls several steps
        constants.__dict__["HF_HUB_OFFLINE"] = True
