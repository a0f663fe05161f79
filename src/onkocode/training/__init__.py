"""One LoRA training job per model and epoch, resumable at any step."""
