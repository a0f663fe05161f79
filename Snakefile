# The study as a workflow: catalogues → questions → models → training → evaluation → reporting.
# `snakemake --configfile config/quickstart.yaml --cores 2` runs the embedded default,
# `snakemake --profile slurm` the paper's eight models on a cluster.
from snakemake.utils import min_version

min_version("9.27")


# Your own in the working directory, else the one that the project ships.
own, shipped = "config/config.yaml", f"{workflow.basedir}/config/config.yaml"


configfile: own if Path(own).is_file() else shipped


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/catalogues.smk"
include: "workflow/rules/questions.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/coders.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/reporting.smk"


# What computes for more than seconds is a job of the cluster, unless the site wants it where Snakemake runs.
if site and site.login_node:

    localrules:
        build_questions,
        check_leakage,
        export_questions,
        score_checkpoint,
        score_thinking,
        score_conditions,
        collect_metrics,
        compare_checkpoints,
        break_down,
        measure_certainty,


rule all:
    default_target: True
    input:
        rules.questions.input,
        rules.figures.input,
        rules.tables.input,
        rules.write_config.output,


# All rules run in one environment, where Snakemake makes it (`--software-deployment-method conda`).
for each in workflow.rules:
    each.conda_env = f"{workflow.basedir}/workflow/envs/onkocode.yaml"
