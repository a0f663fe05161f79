"""The tasks that coders are tested on, in one table: every list of tasks in the code comes from here."""

from dataclasses import dataclass

YES, NO = "Ja", "Nein"
YES_WITH_CODE = "Ja, {code}"


@dataclass(frozen=True)
class Task:
    """A kind of question about a diagnosis.

    A task with a system is answered by a code of it; partially right is a code of the same category
    (`catalogues.vocabulary.codes.category_of`). `evaluation.parsing` reads the answers.

    Attributes:
        key: as in the column `task` of questions and of results.
        label: name in figures and tables.
        block: the question block whose formulations ask for it.
        system: of the code that answers it: icd10gm, topography, morphology or ops; None = no code does.
        column: of the entries of users' texts, with the code that is expected; a text without one is not asked. None =
            every text is asked or, where a code is the answer, the catalogue alone.
        decides: whether it is a tumour is to be answered with yes or no; with a system, yes needs the code as well.
    """

    key: str
    label: str
    block: str
    system: str | None = None
    column: str | None = None
    decides: bool = False

    @property
    def asks_texts(self) -> bool:
        """Tell whether users' texts are asked it, and not the catalogue alone."""
        return self.system is None or self.column is not None


TASKS = {
    task.key: task
    for task in (
        Task("icd10", "ICD-10", "icd10", system="icd10gm", column="code"),
        Task("topography", "ICD-O topography", "topography", system="topography", column="topography"),
        Task("morphology", "ICD-O morphology", "morphology", system="morphology", column="morphology"),
        Task("tumour", "Tumour yes/no", "tumour", decides=True),
        Task("tumour-icd10", "Tumour yes/no with code", "tumour-icd10", "icd10gm", "code", decides=True),
    )
}
PROTOCOL = ("icd10", "topography", "tumour")  # of Lenz et al. 2025: what is asked where no tasks are named
CODED = tuple(task.key for task in TASKS.values() if task.system)
DECIDED = tuple(task.key for task in TASKS.values() if task.decides)
