"""What is known of each corpus before a byte of it is read (book: chapter "Corpora")."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class CorpusInfo:
    """One corpus, as its owners describe it.

    Attributes:
        name: short name, as in ``load_corpus(name)`` and ``--corpus``.
        title: full name.
        module: module with ``read(root) -> Corpus``.
        language: language spoken.
        licence: the owners' terms in a few words.
        commercial: True where commercial use is allowed, False where it is not, None where
            it depends on the user's own recordings.
        citation: how to cite it.
        homepage: where it lives; ``""`` for what is made here.
        get: how to get it, in a sentence that an error message can end with.
        layout: the names the reader looks for below the root.
        fetchable: ``ser fetch`` may download it.
        speakers: number of speakers, None where open.
        sessions: number of recording sessions, named Ses01, Ses02, ...; 0 where there are none.
        total: utterances of all labels, None where open.
        labels: owners' label -> utterances.
        by_emotion: the four classes -> utterances.
    """

    name: str
    title: str
    module: str
    language: str
    licence: str
    commercial: bool | None
    citation: str
    homepage: str
    get: str
    layout: str
    fetchable: bool = False
    speakers: int | None = None
    sessions: int = 0
    total: int | None = None
    labels: dict[str, int] = field(default_factory=dict)
    by_emotion: dict[str, int] = field(default_factory=dict)

    @property
    def four_class(self) -> int | None:
        """Utterances of the four-class task, None where open.

        Example:
            >>> CORPORA["emodb"].four_class, CORPORA["iemocap"].four_class
            (339, 5531)
        """
        return sum(self.by_emotion.values()) or None


def _four(angry: int, happy: int, neutral: int, sad: int) -> dict[str, int]:
    return {"angry": angry, "happy": happy, "neutral": neutral, "sad": sad}


_SYNTHETIC = CorpusInfo(
    name="synthetic",
    title="Synthetic emotional speech, made by this package",
    module="ser.corpora.synthetic",
    language="English",
    licence="CC0 1.0 (made on this computer by Praat's synthesiser; says nothing about people)",
    commercial=True,
    citation="Synthetic corpus of ser-book: sentences spoken by Praat's synthesiser (parselmouth).",
    homepage="",
    get="It is made on first use: load_corpus('synthetic').",
    layout="IEMOCAP's: Session{1..5}/dialog/EmoEvaluation/*.txt and Session*/sentences/wav/",
    speakers=10,
    sessions=5,
    total=480,
    by_emotion=_four(120, 120, 120, 120),
)

_IEMOCAP = CorpusInfo(
    name="iemocap",
    title="IEMOCAP: Interactive Emotional Dyadic Motion Capture database",
    module="ser.corpora.iemocap",
    language="English",
    licence="restricted: by signed request to USC; neither audio nor labels may be passed on",
    commercial=False,
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, "
        "S. S. Narayanan, IEMOCAP: Interactive emotional dyadic motion capture database, "
        "Language Resources and Evaluation 42, 2008"
    ),
    homepage="https://sail.usc.edu/iemocap/",
    get=(
        "Sign the release form at https://sail.usc.edu/iemocap/ ; USC answers with a link to "
        "IEMOCAP_full_release.tar.gz. Unpack it and give that folder as root."
    ),
    layout=(
        "IEMOCAP_full_release/Session{1..5}/dialog/EmoEvaluation/*.txt and "
        "Session*/sentences/wav/<dialog>/<utterance>.wav"
    ),
    speakers=10,
    sessions=5,
    total=10039,
    labels={
        "xxx": 2507,
        "fru": 1849,
        "neu": 1708,
        "ang": 1103,
        "sad": 1084,
        "exc": 1041,
        "hap": 595,
        "sur": 107,
        "fea": 40,
        "oth": 3,
        "dis": 2,
    },
    by_emotion=_four(1103, 1636, 1708, 1084),
)

_EMODB = CorpusInfo(
    name="emodb",
    title="EmoDB: Berlin Database of Emotional Speech",
    module="ser.corpora.emodb",
    language="German",
    licence="CC BY 4.0 (Zenodo), CC0 (audb)",
    commercial=True,
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss, A Database of German "
        "Emotional Speech, Interspeech 2005"
    ),
    homepage="http://emodb.bilderbar.info/",
    get=(
        "Download http://emodb.bilderbar.info/download/download.zip or Zenodo record 7447302 "
        "(or type: ser fetch emodb), unpack it and give the folder that holds wav/ as root."
    ),
    layout="wav/SSTTTEv.wav, e.g. wav/03a01Fa.wav",
    fetchable=True,
    speakers=10,
    total=535,
    labels={"W": 127, "L": 81, "E": 46, "A": 69, "F": 71, "T": 62, "N": 79},
    by_emotion=_four(127, 71, 79, 62),
)

_NEMO = CorpusInfo(
    name="nemo",
    title="nEMO: Dataset of Emotional Speech in Polish",
    module="ser.corpora.nemo",
    language="Polish",
    licence="CC BY-NC-SA 4.0",
    commercial=False,
    citation="I. Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024",
    homepage="https://github.com/amu-cai/nEMO",
    get=(
        "git clone https://github.com/amu-cai/nEMO (or type: ser fetch nemo) and give that "
        "folder, which holds data.tsv and samples/, as root."
    ),
    layout="data.tsv and samples/<SPK>_<emotion>_<n>.wav, e.g. samples/EB0_anger_1.wav",
    fetchable=True,
    speakers=9,
    total=4481,
    labels={
        "neutral": 809,
        "sadness": 769,
        "anger": 749,
        "happiness": 749,
        "fear": 736,
        "surprised": 669,
    },
    by_emotion=_four(749, 749, 809, 769),
)

_RAVDESS = CorpusInfo(
    name="ravdess",
    title="RAVDESS: Ryerson Audio-Visual Database of Emotional Speech and Song (speech)",
    module="ser.corpora.ravdess",
    language="English",
    licence="CC BY-NC-SA 4.0",
    commercial=False,
    citation=(
        "S. R. Livingstone, F. A. Russo, The Ryerson Audio-Visual Database of Emotional Speech "
        "and Song (RAVDESS), PLoS ONE 13(5), 2018"
    ),
    homepage="https://zenodo.org/records/1188976",
    get=(
        "Download Audio_Speech_Actors_01-24.zip of https://zenodo.org/records/1188976 (or "
        "type: ser fetch ravdess), unpack it and give the folder that holds Actor_01 as root."
    ),
    layout="Actor_NN/MM-VC-EE-II-SS-RR-AA.wav, e.g. Actor_01/03-01-05-01-01-01-01.wav",
    fetchable=True,
    speakers=24,
    total=1440,
    labels={"neutral": 96}
    | dict.fromkeys(("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 192),
    by_emotion=_four(192, 192, 96, 192),
)

_CREMAD = CorpusInfo(
    name="cremad",
    title="CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset",
    module="ser.corpora.cremad",
    language="English",
    licence="ODbL 1.0",
    commercial=True,
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma, CREMA-D: "
        "Crowd-sourced Emotional Multimodal Actors Dataset, IEEE Transactions on Affective "
        "Computing 5(4), 2014"
    ),
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    get=(
        "git clone https://github.com/CheyneyComputerScience/CREMA-D, then in it: git lfs "
        "install && git lfs pull (or type: ser fetch cremad); give that folder as root."
    ),
    layout="AudioWAV/AAAA_SSS_EEE_LL.wav, e.g. AudioWAV/1001_DFA_ANG_XX.wav",
    fetchable=True,
    speakers=91,
    total=7442,
    labels={"NEU": 1087} | dict.fromkeys(("ANG", "DIS", "FEA", "HAP", "SAD"), 1271),
    by_emotion=_four(1271, 1271, 1087, 1271),
)

_URDU = CorpusInfo(
    name="urdu",
    title="URDU: Urdu emotional speech from talk shows",
    module="ser.corpora.urdu",
    language="Urdu",
    licence="research only",
    commercial=False,
    citation=(
        "S. Latif, A. Qayyum, M. Usman, J. Qadir, Cross Lingual Speech Emotion Recognition: "
        "Urdu vs. Western Languages, FIT 2018"
    ),
    homepage="https://github.com/siddiquelatif/URDU-Dataset",
    get=(
        "git clone https://github.com/siddiquelatif/URDU-Dataset (or type: ser fetch urdu) and "
        "give that folder, which holds Angry, Happy, Neutral and Sad, as root."
    ),
    layout=(
        "{Angry,Happy,Neutral,Sad}/S<G><id>_F<n>_<A,H,N,S><nnn>.wav, e.g. Angry/SM1_F10_A010.wav"
    ),
    fetchable=True,
    speakers=29,
    total=400,
    labels={"A": 100, "H": 100, "N": 100, "S": 100},
    by_emotion=_four(100, 100, 100, 100),
)

_TESS = CorpusInfo(
    name="tess",
    title="TESS: Toronto Emotional Speech Set",
    module="ser.corpora.tess",
    language="English",
    licence="CC BY-NC-ND 4.0",
    commercial=False,
    citation=(
        "M. K. Pichora-Fuller, K. Dupuis, Toronto emotional speech set (TESS), University of "
        "Toronto, 2010"
    ),
    homepage="https://tspace.library.utoronto.ca/handle/1807/24487",
    get=(
        "Download the recordings from https://tspace.library.utoronto.ca/handle/1807/24487 into "
        "one folder and give it as root."
    ),
    layout="<OAF or YAF>_<word>_<emotion>.wav, e.g. OAF_back_angry.wav",
    speakers=2,
    total=2800,
    labels=dict.fromkeys(("angry", "disgust", "fear", "happy", "neutral", "ps", "sad"), 400),
    by_emotion=_four(400, 400, 400, 400),
)

_SAVEE = CorpusInfo(
    name="savee",
    title="SAVEE: Surrey Audio-Visual Expressed Emotion",
    module="ser.corpora.savee",
    language="English",
    licence="research only, on registration",
    commercial=False,
    citation=(
        "S. Haq, P. J. B. Jackson, Multimodal Emotion Recognition, in W. Wang (ed.), Machine "
        "Audition: Principles, Algorithms and Systems, IGI Global, 2010"
    ),
    homepage="http://kahlan.eps.surrey.ac.uk/savee/",
    get=(
        "Register at http://kahlan.eps.surrey.ac.uk/savee/ , unpack AudioData.zip and give the "
        "folder that holds AudioData as root."
    ),
    layout="AudioData/DC/a01.wav or flat DC_a01.wav",
    speakers=4,
    total=480,
    labels={"n": 120} | dict.fromkeys(("a", "d", "f", "h", "sa", "su"), 60),
    by_emotion=_four(60, 60, 120, 60),
)

_MANIFEST = CorpusInfo(
    name="manifest",
    title="Recordings of your own, listed in a CSV file",
    module="ser.corpora.manifest",
    language="any",
    licence="that of the recordings you list",
    commercial=None,
    citation="the recordings you list",
    homepage="",
    get=(
        "Write a CSV file with the columns path, emotion, speaker (and, as you like, gender, "
        "session, text, start, end or seconds), one row an utterance, and give that file as root."
    ),
    layout="a CSV file with a header: path,emotion,speaker",
)

CORPORA: dict[str, CorpusInfo] = {
    info.name: info
    for info in (
        _SYNTHETIC,
        _IEMOCAP,
        _EMODB,
        _NEMO,
        _RAVDESS,
        _CREMAD,
        _URDU,
        _TESS,
        _SAVEE,
        _MANIFEST,
    )
}
"""All corpora by name, the built-in one first."""
