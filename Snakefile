# The study as a workflow: catalogues → questions → models → training → evaluation → reporting.
# `snakemake --configfile config/quickstart.yaml --cores 2` runs the embedded default,
# `snakemake --profile slurm` the paper's eight models on a cluster.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/catalogues.smk"
include: "workflow/rules/questions.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/reporting.smk"


rule all:
    default_target: True
    input:
        rules.questions.input,
        rules.figures.input,
        rules.tables.input,
        rules.write_config.output,
