"""The entries of the tables of the UCI repository."""

from common.data.registry import DatasetInfo, RemoteFile

_PUBLIC = (
    "https://raw.githubusercontent.com/treforevans/uci_datasets/"
    "f0737523712fe66a1640e4b980b927e8490b58eb/uci_datasets"
)
_NOTES = (
    "All columns, the last of them the regression target, standardised on train. Test is the first "
    "of the ten published splits; valid is a tenth of the rest, held out by a hash. "
)


def _table(
    name: str,
    title: str,
    num_columns: int,
    splits: tuple[int, int, int],
    citation: str,
    checksum: str,
    notes: str,
    files: str,
) -> DatasetInfo:
    """One table; `files` has a line for each file: its name, sha256 and bytes."""
    form = []
    for line in files.strip().split("\n"):
        file, sha256, size = line.split()
        form.append(
            RemoteFile(
                f"uci/{name}/{file}",
                sha256=sha256,
                size=int(size),
                urls=(f"{_PUBLIC}/{name}/{file}",),
            )
        )
    return DatasetInfo(
        name=name,
        title=title,
        shape=(num_columns,),
        splits=dict(zip(("train", "valid", "test"), splits, strict=True)),
        num_levels=None,
        licence="CC BY 4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        citation=f"{citation}, UCI Machine Learning Repository; the splits: "
        "github.com/treforevans/uci_datasets",
        source="github.com/treforevans/uci_datasets",
        checksum=checksum,
        notes=_NOTES + notes,
        forms=(tuple(form),),
    )


UCI_INFOS = (
    _table(
        "protein",
        "UCI protein: nine properties of a folded protein and its error",
        10,
        (37041, 4116, 4573),
        "Rana, Physicochemical properties of protein tertiary structure, 2013",
        "6f39347caf10b9474bd79f4faa60e8b8cdeb4c69be43675665c17c7c166e428e",
        "307 test rows are equal to one of the others, as published.",
        """
        data.csv.gz f709d0107c3ee90ab019b9e5d77fc2ae182158958cb70b1903236a51334fd01b 1621214
        test_mask.csv.gz 22afe05e8d17c428558d78a77efeecc08d58004b6c95741d1c533c3207c69fe9 56820
        """,
    ),
    _table(
        "parkinsons",
        "UCI Parkinson's telemonitoring: measures of voice and a score",
        21,
        (4760, 528, 587),
        "Tsanas, Little, McSharry, Ramig, Accurate telemonitoring of Parkinson's disease "
        "progression by noninvasive speech tests, 2009",
        "c9fdd7f47ad8e22f354e20089600ce7f7f34ae6a917278bdd37b7067205e62f8",
        "Columns 0 and 2 number the person and the sex, two of 42 and 2 values: a density of all "
        "columns has no bound. A person's recordings are in every split.",
        """
        data.csv.gz d20ffd9c9e5053a03fff0b770e7b0e076bf856a34538198303c897b6cc6addde 334059
        test_mask.csv.gz 090794e6acb34ce9134ce2ac530b60c408adc646e45f9296adf0e3eb134f1a64 7373
        """,
    ),
    _table(
        "wine",
        "UCI red wine: eleven measurements and the tasters' score",
        12,
        (1296, 144, 159),
        "Cortez, Cerdeira, Almeida, Matos, Reis, Modeling wine preferences by data mining from "
        "physicochemical properties, 2009",
        "c441d4287e67e6573a8dc520a1a5bfb1fbd96382c9e8c28088a33d56c231d1b6",
        "Values are rounded, the score to six levels: a density has no bound. 30 test rows are "
        "equal to one of the others, as published.",
        """
        data.csv.gz e2ca3346651ddb43fbc6a1355e70e74b7ce68f93059e04405e9cb749c219eae2 35578
        test_mask.csv.gz df80c2a700eafb42230991dd7a94c08d47baea55dde125a0a0dcae08964d4559 2105
        """,
    ),
)
