"""onkocode: fine-tune and evaluate open-weight LLMs that code German tumour diagnoses."""

__version__ = "0.1.0"
