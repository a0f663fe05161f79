"""On a SLURM cluster: what the site is, how jobs are submitted and watched, and what a job does on its node."""
