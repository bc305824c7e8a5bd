"""The table of all sets: the embedded ones, and the entries of those with files to fetch."""

from dataclasses import replace

from common.data.drawings import DRAWING_INFOS
from common.data.embedded import DENSITY_INFOS, DIGIT_NAMES, DIGITS, SHAPES, THREE_SPLITS
from common.data.registry import DatasetInfo, RemoteFile
from common.data.sequences import SEQUENCE_INFOS, TINY_SHAKESPEARE
from common.data.uci import UCI_INFOS

_VALID_NOTE = "valid is the last 10,000 images of the published training set."


def _idx_files(folder: str, table: str) -> tuple[RemoteFile, ...]:
    """The gzipped IDX archives of a set in the format of MNIST: name, md5[, sha256, bytes]."""
    files = []
    for line in table.split("\n"):
        if line.strip():
            name, md5, *rest = line.split()
            sha256, size = (rest[0], int(rest[1])) if rest else (None, None)
            files.append(RemoteFile(f"{folder}/raw/{name}", md5, sha256, size))
    return tuple(files)


MNIST = DatasetInfo(
    name="mnist",
    title="MNIST handwritten digits",
    shape=(1, 28, 28),
    splits=THREE_SPLITS,
    num_levels=256,
    num_classes=10,
    class_names=DIGIT_NAMES,
    licence="CC BY-SA 3.0",
    licence_url="https://creativecommons.org/licenses/by-sa/3.0/",
    citation="LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document "
    "recognition, Proc. IEEE 1998",
    source="torchvision.datasets.MNIST",
    checksum="0b8ff0c7f2e395cee19d374991e3230b14745c10df99e0262509682a3f79aeb0",
    notes=_VALID_NOTE,
    torchvision_class="MNIST",
    forms=(
        _idx_files(
            "mnist/MNIST",
            """
            train-images-idx3-ubyte.gz f68b3c2dcbeaaa9fbdd348bbdeb94873 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609 9912422
            train-labels-idx1-ubyte.gz d53e105ee54ea40749a09fcbcd1e9432 3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c 28881
            t10k-images-idx3-ubyte.gz 9fb629c4189551a2d022fa330f9573f3 8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6 1648877
            t10k-labels-idx1-ubyte.gz ec29112dd5afa0611ce80d1b7f02629c f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6 4542
            """,
        ),
    ),
)

STACKED_MNIST = replace(
    MNIST,
    name="stacked_mnist",
    title="Three random MNIST digits as colour channels: 1000 modes",
    shape=(3, 28, 28),
    num_classes=1000,
    class_names=(),
    citation="Metz, Poole, Pfau, Sohl-Dickstein, Unrolled generative adversarial networks, ICLR "
    "2017; Srivastava et al., VEEGAN, NIPS 2017; the digits: LeCun et al. 1998",
    source="common/data/stacked.py, from the files of MNIST",
    checksum="e9d012356a4cba54dae73c87cc613ecfefcb35aa391f8dfe64c7b45323ae6207",
    notes="Channels drawn independently from the same split of MNIST, fixed by a hash; the label "
    "is the number that they spell. The sizes of the splits are ours.",
)

FASHION_MNIST = DatasetInfo(
    name="fashion_mnist",
    title="Fashion-MNIST, articles of clothing",
    shape=(1, 28, 28),
    splits=THREE_SPLITS,
    num_levels=256,
    num_classes=10,
    class_names=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    licence="MIT",
    licence_url="https://github.com/zalandoresearch/fashion-mnist/blob/master/LICENSE",
    citation="Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv:1708.07747",
    source="torchvision.datasets.FashionMNIST",
    checksum="7e4f2c31166f878d5295f839f03ff35ee1680e803f1b91b75ad125b7798f53a7",
    notes=_VALID_NOTE,
    torchvision_class="FashionMNIST",
    forms=(
        _idx_files(
            "fashion-mnist/FashionMNIST",
            """
            train-images-idx3-ubyte.gz 8d4fb7e6c68d591d4c3dfef9ec88bf0d 3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84 26421880
            train-labels-idx1-ubyte.gz 25c81989df183df01b3e8a0aad5dffbe a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845 29515
            t10k-images-idx3-ubyte.gz bef4ecab320f06d8554ea6380940ec79 346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073 4422102
            t10k-labels-idx1-ubyte.gz bb300cfdad3c16e7a12a480ee83cd310 67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5 5148
            """,
        ),
    ),
)

KMNIST = DatasetInfo(
    name="kmnist",
    title="Kuzushiji-MNIST, cursive Japanese characters",
    shape=(1, 28, 28),
    splits=THREE_SPLITS,
    num_levels=256,
    num_classes=10,
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    licence="CC BY-SA 4.0",
    licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
    citation="Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha, Deep Learning for Classical "
    "Japanese Literature, arXiv:1812.01718",
    source="torchvision.datasets.KMNIST",
    notes=_VALID_NOTE,
    torchvision_class="KMNIST",
    forms=(
        _idx_files(
            "kmnist/KMNIST",
            """
            train-images-idx3-ubyte.gz bdb82020997e1d708af4cf47b453dcf7
            train-labels-idx1-ubyte.gz e144d726b3acfaa3e44228e80efcd344
            t10k-images-idx3-ubyte.gz 5c965bf0a639b31b8f53240b1b52f4d7
            t10k-labels-idx1-ubyte.gz 7320c461ea6c1c855c0b718fb2a4b134
            """,
        ),
    ),
)

CIFAR10 = DatasetInfo(
    name="cifar10",
    title="CIFAR-10, tiny colour photographs of ten kinds",
    shape=(3, 32, 32),
    splits={"train": 45000, "valid": 5000, "test": 10000},
    num_levels=256,
    num_classes=10,
    class_names=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    licence="none stated by the authors, who ask to be cited",
    licence_url="https://www.cs.toronto.edu/~kriz/cifar.html",
    citation="Krizhevsky, Learning multiple layers of features from tiny images, 2009",
    source="torchvision.datasets.CIFAR10",
    notes="valid is the last 5,000 images of the published training set.",
    torchvision_class="CIFAR10",
    forms=(
        (
            RemoteFile(
                "cifar10/cifar-10-python.tar.gz",
                md5="c58f30108f718f92721af3b95e74349a",
                sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                size=170498071,
            ),
        ),
    ),
)

_LAROCHELLE = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"


def _amat(suffix: str, table: str, *, public: bool = False) -> tuple[RemoteFile, ...]:
    """The three text files, as published or compressed: split, sha256, bytes."""
    files = []
    for split, sha256, size in (line.split() for line in table.strip().split("\n")):
        name = f"binarized_mnist_{split}.amat"
        urls = (_LAROCHELLE + name,) if public else ()
        path = f"binarized-mnist/{name}{suffix}"
        files.append(RemoteFile(path, sha256=sha256, size=int(size), urls=urls))
    return tuple(files)


BINARIZED_MNIST = DatasetInfo(
    name="binarized_mnist",
    title="MNIST binarised once and for all (Larochelle's static split)",
    shape=(1, 28, 28),
    splits=THREE_SPLITS,
    num_levels=2,
    licence="none stated for the binarisation; MNIST itself CC BY-SA 3.0",
    licence_url="https://creativecommons.org/licenses/by-sa/3.0/",
    citation="Larochelle, Murray, The neural autoregressive distribution estimator, AISTATS 2011; "
    "Salakhutdinov, Murray, On the quantitative analysis of deep belief networks, ICML 2008",
    source=_LAROCHELLE,
    checksum="79ce86dadb43db333fe1ea3ea200cbec4faa3c320da408ed4bbda0e7e9683d92",
    notes="The rows are not in the order of MNIST: its labels do not apply, and there are none.",
    forms=(
        (
            RemoteFile(
                "binarized-mnist/binarized_mnist.npz",
                sha256="50de2c8299a5a297789293ab2c30f6fc3cb8c359a15e5e88d5501aa18ebb8fa5",
                size=2295919,
            ),
        ),
        _amat(
            ".xz",
            """
            train 1579cddb70a64b3d3d782d5a67b6c7e288b0fa07f4d666b6a038f7406f150032 1440544
            valid cea836e2d653d3d39fb022572e0c01c99e7f3487662a5ef836a6729f20dd350c 296980
            test 1d110222c3aec7e6b5b1d428a608709c44772cd60227b10696e78763096289c5 287268
            """,
        ),
        _amat(
            "",
            """
            train ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d 78400000
            valid 1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2 15680000
            test e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c 15680000
            """,
            public=True,
        ),
    ),
)


SHAKESPEARE_EXCERPT = replace(
    TINY_SHAKESPEARE,
    name="shakespeare_excerpt",
    title="The first pages of Tiny Shakespeare, in the repository: for tests and smoke runs",
    splits={"train": 35877, "valid": 4031},
    source="common/data/texts/shakespeare_excerpt.txt",
    embedded=True,
    checksum="47365c74f275d76d14e57c34a1d35891dc217cbc7b0c6d76f4128f5c7ea57489",
    forms=(),
    notes="Too little to learn more from than spelling. The vocabulary is that of the whole text.",
)

CATALOGUE: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DIGITS,
        SHAPES,
        SHAKESPEARE_EXCERPT,
        *DENSITY_INFOS,
        MNIST,
        STACKED_MNIST,
        FASHION_MNIST,
        KMNIST,
        CIFAR10,
        BINARIZED_MNIST,
        *DRAWING_INFOS,
        *SEQUENCE_INFOS,
        *UCI_INFOS,
    )
}

ALIASES = {f"uci/{info.name}": info.name for info in UCI_INFOS}
