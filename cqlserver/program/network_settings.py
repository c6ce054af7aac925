"""Where a node listens and where it is reached: the addresses and seeds of cassandra.yaml, with Cassandra's messages
(config/DatabaseDescriptor.java, applyAddressConfig and applySeedProvider)."""

import logging
import socket
import struct
import sys
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final

log = logging.getLogger("cqlserver")

_SEED_PROVIDER: Final = "SimpleSeedProvider"
_SIOCGIFADDR: Final = 0x8915
_INTERFACE = struct.Struct("16s16x")
_ADDRESS_AT: Final = slice(20, 24)


def read_network(settings: Mapping[str, object]) -> dict[str, object]:
    """Fields of a Config (config.py) that the settings speak of; addresses are resolved. Raises ValueError."""
    found: dict[str, object] = {}
    listen = _maybe_bound(settings, "listen_address", "listen_interface", "Unknown listen_address '{}'")
    if listen is not None:
        _assure_one_address("listen_address", listen)
        found["listen_address"] = listen
    rpc = _maybe_bound(settings, "rpc_address", "rpc_interface", "Unknown host in rpc_address {}")
    if rpc is not None:
        found["host"] = rpc
    for name in ("broadcast_address", "broadcast_rpc_address"):
        if settings.get(name) is not None:
            address = _resolved(str(settings[name]), f"Unknown {name} '{{}}'")
            _assure_one_address(name, address)
            found[name] = address
    if rpc is not None and ip_address(rpc).is_unspecified and "broadcast_rpc_address" not in found:
        raise ValueError(
            f"If rpc_address is set to a wildcard address ({rpc}), then you must set broadcast_rpc_address to a value "
            f"other than {rpc}"
        )
    if "listen_on_broadcast_address" in settings:
        found["listens_on_broadcast_address"] = settings["listen_on_broadcast_address"] is True
    if "seed_provider" in settings:
        found["seeds"] = _seeds(settings["seed_provider"])
    return found


def resolved_seeds(texts: Iterable[str], default_port: int) -> list[tuple[str, int]]:
    """(address, port) of each that the system knows; of those that it does not the log tells. `texts`: ADDRESS or
    ADDRESS:PORT. Raises ValueError where none is left."""
    found: list[tuple[str, int]] = []
    for text in texts:
        address, colon, port = text.rpartition(":")
        if not colon or (":" in address.strip("[]") and not text.startswith("[")):
            address, port = text, str(default_port)
        try:
            resolved = socket.getaddrinfo(address.strip("[]"), int(port), type=socket.SOCK_STREAM)[0][4]
        except (OSError, ValueError):
            log.warning("Seed provider couldn't lookup host %s", text)
        else:
            found.append((str(resolved[0]), int(port)))
    if not found:
        raise ValueError(f"The seed provider lists no seeds that can be looked up: {', '.join(texts)}")
    return found


def _maybe_bound(settings: Mapping[str, object], name: str, interface: str, complaint: str) -> str | None:
    """The address of `name`, or of the network interface that is named instead."""
    if settings.get(name) is not None and settings.get(interface) is not None:
        raise ValueError(f"Set {name} OR {interface}, not both")
    if settings.get(interface) is not None:
        return _address_of_interface(interface, str(settings[interface]))
    return None if settings.get(name) is None else _resolved(str(settings[name]), complaint)


def _resolved(text: str, complaint: str) -> str:
    """As an address; of a name that has several, one of IPv4."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(text, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ValueError(complaint.format(text)) from None
    return str(min(found, key=lambda info: info[0] != socket.AF_INET)[4][0])


def _assure_one_address(name: str, address: str) -> None:
    if ip_address(address).is_unspecified:
        raise ValueError(f"{name} cannot be a wildcard address ({address})!")


def _address_of_interface(name: str, interface: str) -> str:
    if sys.platform != "linux":
        raise ValueError(f"{name}: interfaces are looked up on Linux alone; write the address instead")
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, _SIOCGIFADDR, _INTERFACE.pack(interface.encode()) + bytes(8))
        except OSError:
            raise ValueError(f'Configured {name} "{interface}" could not be found') from None
    return socket.inet_ntoa(answer[_ADDRESS_AT])


def _seeds(provider: object) -> tuple[str, ...]:
    """Of `seed_provider`: its seeds as texts."""
    entry = provider[0] if isinstance(provider, list) and provider else provider
    if not isinstance(entry, Mapping):
        raise ValueError("seeds configuration is missing; a minimum of one seed is required.")
    name = str(entry.get("class_name", "")).rpartition(".")[2]
    if name != _SEED_PROVIDER:
        raise ValueError(f"seed_provider: {name} is not supported; use org.apache.cassandra.locator.{_SEED_PROVIDER}")
    parameters = entry.get("parameters")
    parameter = parameters[0] if isinstance(parameters, list) and parameters else parameters
    text = parameter.get("seeds") if isinstance(parameter, Mapping) else None
    seeds = tuple(part.strip() for part in str(text or "").split(",") if part.strip())
    if not seeds:
        raise ValueError("The seed provider lists no seeds.")
    return seeds
