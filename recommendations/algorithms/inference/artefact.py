"""Artefacts: the result of a training, stored without pickles."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommendations.algorithms.data.dataset import FloatArray, IntArray
from recommendations.algorithms.inference.scoring import ScorerConfig
from recommendations.algorithms.models.protocol import FactorMatrix, Fitted, ItemMatrix, ItemVector, PairMatrix
from recommendations.algorithms.models.tfidf_index import TextIndex
from recommendations.algorithms.validation.quality_gate import ValidationScores

FORMAT_VERSION = 3
# Up to this many items a column index fits into 16 bits.
SMALL_CATALOGUE = 65_536
# Dimensions of what holds factors; a sparse matrix's first array has one.
FACTORS = 2
_REST, _PLACES = "rest.npz", "places.json"
_TEXTS = ("data", "indices", "indptr", "rarity", "vocabulary", "scale")


class UnreadableArtefact(ValueError):
    """The bytes are not an artefact in a format that this code reads; train again."""


@dataclass(frozen=True, eq=False)
class Artefact:
    """Fitted algorithms, and the blend of their scorers.

    Attributes:
        item_ids: (items,) sorted; an item's index everywhere is its position here.
        fitted: by algorithm name. Some are not in the blend: popularity fills lists, and an item x item matrix
            answers "similar items".
        scorers: of the blend.
        weights: (reads,) positive, sum 1.
        cold: indices of the items without interactions that have content.
        similarity_thresholds: (items,) the content similarity above which a cold item matches a user
            (`inference.cold_items`); empty without content, and in older artefacts.
        chosen: the decisions of the training and their evidence, as JSON values.
        ranker: the second stage as text (`inference.lightgbm_ranker`); empty for none.
        validation_scores: of each user of the validation fold, for the quality gate.
        texts: the index of the training's texts; None without texts, and in older artefacts.
    """

    item_ids: tuple[str, ...]
    fitted: Mapping[str, Fitted]
    scorers: tuple[ScorerConfig, ...]
    weights: NDArray[np.float64]
    chosen: dict[str, Any]
    validation_scores: ValidationScores = field(default_factory=ValidationScores.none)
    cold: IntArray = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    similarity_thresholds: FloatArray = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    ranker: str = ""
    texts: TextIndex | None = None

    @property
    def item_count(self) -> int:
        return len(self.item_ids)

    def save(self, file: IO[bytes]) -> None:
        """Write as npz, with half-precision values, which the matrices already hold exactly."""
        header = {
            "format_version": FORMAT_VERSION,
            "item_ids": self.item_ids,
            "reads": [[scorer.algorithm, _finite(scorer.half_life)] for scorer in self.scorers],
            "chosen": self.chosen,
            "judged_by": self.validation_scores.protocol,
            "ranker": self.ranker,
            "vectors": [name for name, part in self.fitted.items() if isinstance(part, ItemVector)],
            "matrices": [name for name, part in self.fitted.items() if isinstance(part, ItemMatrix)],
            "factors": [name for name, part in self.fitted.items() if isinstance(part, FactorMatrix)],
        }
        arrays: dict[str, Any] = {
            "header": np.frombuffer(json.dumps(header, allow_nan=False).encode(), dtype=np.uint8),
            "weights": self.weights,
            "cold": self.cold.astype(np.int32),
            "fit_from": self.similarity_thresholds,
            "judged/people": self.validation_scores.user_digests,
            "judged/ndcg": self.validation_scores.ndcg,
        }
        index_type = np.uint16 if self.item_count <= SMALL_CATALOGUE else np.int32
        for name, part in self.fitted.items():
            if isinstance(part, ItemVector):
                arrays[f"vector/{name}"] = part.values
            elif isinstance(part, FactorMatrix):
                arrays[f"factors/{name}"] = part.vectors.astype(np.float16)
                arrays[f"scales/{name}"] = np.stack([part.row_scale, part.column_scale])
            else:
                arrays[f"data/{name}"] = part.values.data.astype(np.float16)
                arrays[f"indices/{name}"] = part.values.indices.astype(index_type)
                arrays[f"indptr/{name}"] = part.values.indptr
        if self.texts is not None:
            text_arrays = _text_arrays(self.texts)
            text_arrays["data"] = text_arrays["data"].astype(np.float16)
            arrays |= {f"texts/{name}": values for name, values in text_arrays.items()}
        np.savez(file, allow_pickle=False, **arrays)

    def unpack(self, folder: Path) -> None:
        """Write each array as a file that `mapped` reads without conversion."""
        folder.mkdir(parents=True)
        places: dict[str, list[str]] = {}
        for name, part in self.fitted.items():
            if not isinstance(part, ItemVector):
                arrays = _arrays_of(part)
                places[name] = [f"{len(places)}-{index}.npy" for index in range(len(arrays))]
                for file, values in zip(places[name], arrays, strict=True):
                    np.save(folder / file, values)
        vectors = {name: part for name, part in self.fitted.items() if isinstance(part, ItemVector)}
        with (folder / _REST).open("wb") as rest:
            replace(self, fitted=vectors, texts=None).save(rest)
        for name, values in (_text_arrays(self.texts) if self.texts else {}).items():
            np.save(folder / f"texts-{name}.npy", values)
        (folder / _PLACES).write_text(json.dumps(places), encoding="utf-8")

    @classmethod
    def mapped(cls, folder: Path) -> Artefact:
        """Read what `unpack` wrote: matrices are mapped read-only, so that the processes of a host share one copy.

        Raises:
            UnreadableArtefact: incomplete, or of another format version.
        """
        try:
            with (folder / _REST).open("rb") as rest:
                artefact = cls.load(rest)
            shape = (artefact.item_count, artefact.item_count)
            fitted = dict(artefact.fitted)
            for name, files in json.loads((folder / _PLACES).read_text(encoding="utf-8")).items():
                parts = tuple(np.load(folder / file, mmap_mode="r", allow_pickle=False) for file in files)
                fitted[name] = (
                    FactorMatrix(parts[0], parts[1], parts[2], artefact.item_count)
                    if parts[0].ndim == FACTORS
                    else ItemMatrix(sparse.csr_array(parts, shape=shape, copy=False))
                )
            texts = _mapped_texts(folder, artefact.item_count)
        except (OSError, ValueError, EOFError) as error:
            raise UnreadableArtefact(f"not a readable copy of an artefact ({error})") from error
        return replace(artefact, fitted=fitted, texts=texts)

    @classmethod
    def load(cls, file: IO[bytes]) -> Artefact:
        """Read what `save` wrote.

        Raises:
            UnreadableArtefact: not an artefact, cut short, or of another format version.
        """
        try:
            with np.load(io.BytesIO(file.read()), allow_pickle=False) as arrays:
                header = json.loads(arrays["header"].tobytes())
                if header["format_version"] != FORMAT_VERSION:
                    raise UnreadableArtefact(
                        f"the artefact has format {header['format_version']}, this code reads {FORMAT_VERSION}: "
                        "train again"
                    )
                return cls._from_arrays(header, arrays)
        except (KeyError, OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            if isinstance(error, UnreadableArtefact):
                raise
            raise UnreadableArtefact(f"not a readable artefact ({error}): train again") from error

    @classmethod
    def _from_arrays(cls, header: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Artefact:
        count = len(header["item_ids"])
        fitted: dict[str, Fitted] = {name: ItemVector(arrays[f"vector/{name}"]) for name in header["vectors"]}
        for name in header["matrices"]:
            parts = (
                arrays[f"data/{name}"].astype(np.float32),
                arrays[f"indices/{name}"].astype(np.int32),
                arrays[f"indptr/{name}"],
            )
            fitted[name] = ItemMatrix(sparse.csr_array(parts, shape=(count, count)))
        for name in header.get("factors", ()):
            rows, columns = arrays[f"scales/{name}"]
            fitted[name] = FactorMatrix(arrays[f"factors/{name}"].astype(np.float32), rows, columns, count)
        return cls(
            item_ids=tuple(header["item_ids"]),
            fitted=fitted,
            scorers=tuple(
                ScorerConfig(algorithm, np.inf if half_life == "inf" else half_life)
                for algorithm, half_life in header["reads"]
            ),
            weights=arrays["weights"],
            chosen=header["chosen"],
            validation_scores=ValidationScores(arrays["judged/people"], arrays["judged/ndcg"], header["judged_by"]),
            cold=arrays["cold"],
            similarity_thresholds=arrays["fit_from"] if "fit_from" in arrays else np.empty(0, dtype=np.float32),
            ranker=header.get("ranker", ""),
            texts=_texts({name: arrays[f"texts/{name}"] for name in _TEXTS}, count) if "texts/data" in arrays else None,
        )


def _arrays_of(part: PairMatrix) -> tuple[NDArray[Any], ...]:
    if isinstance(part, FactorMatrix):
        return part.vectors, part.row_scale, part.column_scale
    return part.values.data, part.values.indices, part.values.indptr


def _text_arrays(texts: TextIndex) -> dict[str, Any]:
    vectors = texts.vectors
    return {
        "data": vectors.data,
        "indices": vectors.indices.astype(np.int32),
        "indptr": vectors.indptr,
        "rarity": texts.rarity,
        "vocabulary": texts.vocabulary,
        "scale": np.array([texts.scale]),
    }


def _texts(arrays: Mapping[str, NDArray[Any]], count: int) -> TextIndex:
    parts = (np.asarray(arrays["data"], dtype=np.float32), arrays["indices"], arrays["indptr"])
    vectors = sparse.csr_array(parts, shape=(count, len(arrays["rarity"])), copy=False)
    return TextIndex(arrays["vocabulary"], arrays["rarity"], vectors, float(arrays["scale"][0]))


def _mapped_texts(folder: Path, count: int) -> TextIndex | None:
    files = {name: folder / f"texts-{name}.npy" for name in _TEXTS}
    if not files["data"].exists():
        return None
    arrays = {name: np.load(file, mmap_mode="r", allow_pickle=False) for name, file in files.items()}
    return _texts(arrays, count)


def _finite(half_life: float | None) -> float | str | None:
    return "inf" if half_life is not None and np.isinf(half_life) else half_life
