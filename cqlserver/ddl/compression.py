"""The option `compression` of tables (schema/CompressionParams.java and the compressors' own options)."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from protocol.errors import ConfigurationError, ServerError
from protocol.types.java_floats import double_text
from protocol.types.java_text import parse_java_double, parse_java_int
from storage.schema.metadata import COMPRESSOR_PACKAGE

_CHUNK_LENGTH: Final = "chunk_length_in_kb"
_RATIO: Final = "min_compress_ratio"
_INT_MAX: Final = (1 << 31) - 1
_LZ4_TYPE: Final = "lz4_compressor_type"
_LZ4_LEVEL: Final = "lz4_high_compressor_level"
_ZSTD_LEVEL: Final = "compression_level"
_ZSTD_LEVELS: Final = (-131072, 22)

_SUPPORTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "LZ4Compressor": (_LZ4_TYPE, _LZ4_LEVEL),
        "ZstdCompressor": (_ZSTD_LEVEL,),
        "DeflateCompressor": (),
        "SnappyCompressor": (),
        "NoopCompressor": (),
    }
)
_DISABLED: Final = MappingProxyType({"enabled": "false"})


def prepare_compression(given: Mapping[str, str]) -> Mapping[str, str]:
    """The options to store, checked. Raises ConfigurationError."""
    options = dict(given)
    is_enabled = options.pop("enabled", "true").lower() == "true"
    if given and is_enabled and "class" not in given:
        raise ConfigurationError("Missing sub-option 'class' for the 'compression' option.")
    if not is_enabled and options:
        raise ConfigurationError("If the 'enabled' option is set to false no other options must be specified")
    name = options.pop("class", None)
    if name == "":
        raise ConfigurationError("The 'class' option must not be empty. To disable compression use 'enabled' : false")
    chunk_bytes = _chunk_bytes(options.pop(_CHUNK_LENGTH, "16"))
    ratio = _ratio(options.pop(_RATIO, "0"))
    compressor = _compressor(name, options) if name is not None else None
    _check_sizes(chunk_bytes, ratio)
    if compressor is None:
        return _DISABLED
    stored = {**options, "class": compressor, _CHUNK_LENGTH: str(chunk_bytes // 1024)}
    if ratio != 0.0:
        stored[_RATIO] = double_text(ratio)
    return MappingProxyType(stored)


def _chunk_bytes(text: str) -> int:
    try:
        kib = parse_java_int(text, 32)
    except ValueError:
        raise ConfigurationError(f"Invalid value for {_CHUNK_LENGTH}") from None
    if kib > _INT_MAX // 1024:
        raise ConfigurationError(f"Value of {_CHUNK_LENGTH} is too large ({kib})")
    return 1024 * kib


def _ratio(text: str) -> float:
    try:
        return parse_java_double(text)
    except ValueError:
        raise ServerError(f'java.lang.NumberFormatException: For input string: "{text}"') from None


def _compressor(name: str, options: Mapping[str, str]) -> str:
    """The class as it is stored."""
    full_name = name if "." in name else COMPRESSOR_PACKAGE + name
    simple_name = full_name.removeprefix(COMPRESSOR_PACKAGE)
    supported = _SUPPORTED.get(simple_name)
    if supported is None or not full_name.startswith(COMPRESSOR_PACKAGE):
        _check_plug_in(name, full_name, options)
        return name
    if simple_name == "LZ4Compressor":
        _check_lz4(options)
    elif simple_name == "ZstdCompressor":
        _check_zstd(options)
    for option in options:
        if option not in supported:
            raise ConfigurationError(f"Unknown compression options {option}")
    return full_name


def _check_plug_in(name: str, full_name: str, options: Mapping[str, str]) -> None:
    from storage.sstable.compressor_plug_ins import maybe_factory

    try:
        factory = maybe_factory(name)
        if factory is None:
            raise ConfigurationError(f"Could not create Compression for type {full_name}")
        factory(options)
    except ValueError as error:
        raise ConfigurationError(f"{name}.create() threw an error: ValueError {error}") from None


def _check_lz4(options: Mapping[str, str]) -> None:
    kind = options.get(_LZ4_TYPE, "fast")
    if kind not in ("fast", "high"):
        raise ConfigurationError(
            f"Invalid compressor type '{kind}' specified for LZ4 parameter '{_LZ4_TYPE}'. Valid options are [high, fast]."
        )
    level = options.get(_LZ4_LEVEL, "9")
    try:
        is_valid = 1 <= parse_java_int(level, 32) <= 17
    except ValueError:
        is_valid = False
    if not is_valid:
        raise ConfigurationError(f"Invalid value [{level}] for parameter '{_LZ4_LEVEL}'. Value must be between 1 and 17.")


def _check_zstd(options: Mapping[str, str]) -> None:
    text = options.get(_ZSTD_LEVEL, "3")
    try:
        level = parse_java_int(text, 32)
    except ValueError:
        raise ConfigurationError(
            f'ZstdCompressor.create() threw an error: java.lang.NumberFormatException For input string: "{text}"'
        ) from None
    if not _ZSTD_LEVELS[0] <= level <= _ZSTD_LEVELS[1]:
        raise ConfigurationError(
            f"ZstdCompressor.create() threw an error: java.lang.IllegalArgumentException {_ZSTD_LEVEL}={level} is invalid"
        )


def _check_sizes(chunk_bytes: int, ratio: float) -> None:
    if chunk_bytes <= 0:
        raise ConfigurationError(f"Invalid negative or null {_CHUNK_LENGTH}")
    if chunk_bytes & (chunk_bytes - 1):
        raise ConfigurationError(f"{_CHUNK_LENGTH} must be a power of 2")
    compressed_bytes_max = _INT_MAX
    if ratio != 0 and not math.isnan(ratio):
        compressed_bytes_max = min(math.ceil(chunk_bytes / ratio), _INT_MAX)
    if compressed_bytes_max < 0:
        raise ConfigurationError(f"Invalid negative {_RATIO}")
    if chunk_bytes < compressed_bytes_max < _INT_MAX:
        raise ConfigurationError(f"{_RATIO} can either be 0 or greater than or equal to 1")
