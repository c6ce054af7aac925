"""LDAP servers for tests: OpenLDAP's slapd where it is installed, and a small one of this project's own; the same people."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ldap3.protocol import rfc4511 as asn1
from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import SubstrateUnderrunError

BASE = "dc=example,dc=org"
SERVICE = f"cn=reader,{BASE}"
SERVICE_PASSWORD = "of the service"
SLAPD = shutil.which("slapd") or shutil.which("/usr/sbin/slapd")
PEOPLE = {
    "alice": ("wonderland", {"description": ["dba"]}),
    "bob": ("builder", {}),
    "odd, (name)*": ("odd\\pass", {}),
}
GROUPS = {"admins": ["alice"], "readers": ["alice", "bob"]}


def dn_of(user: str) -> str:
    return f"uid={user.replace(',', chr(92) + ',')},ou=people,{BASE}"


def ldif() -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups",
        f"dn: {SERVICE}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {SERVICE_PASSWORD}",
    ]
    for user, (password, attributes) in PEOPLE.items():
        lines = [f"dn: {dn_of(user)}", "objectClass: inetOrgPerson", f"uid: {user}", f"cn: {user}", f"sn: {user}"]
        lines.append(f"userPassword: {password}")
        lines += [f"{name}: {value}" for name, values in attributes.items() for value in values]
        entries.append("\n".join(lines))
    for group, members in GROUPS.items():
        lines = [f"dn: cn={group},ou=groups,{BASE}", "objectClass: groupOfNames", f"cn: {group}"]
        entries.append("\n".join([*lines, *(f"member: {dn_of(member)}" for member in members)]))
    return "\n\n".join(entries) + "\n"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def slapd(folder: Path, certificate: Path | None = None) -> Iterator[int]:
    """OpenLDAP's server; its port. With a certificate (and key, PEM) that of ldaps."""
    assert SLAPD is not None
    (folder / "db").mkdir()
    schemas = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson"))
    tls = "" if certificate is None else f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {certificate}\n"
    rule = f'access to attrs=userPassword by anonymous auth by * none\naccess to * by dn.exact="{SERVICE}" read by * none\n'
    (folder / "slapd.conf").write_text(
        f"{schemas}{tls}pidfile {folder}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n"
        f"database mdb\nsuffix {BASE}\ndirectory {folder}/db\nmaxsize 10485760\n{rule}"
    )
    (folder / "people.ldif").write_text(ldif())
    tool = [SLAPD, "-T", "add", "-f", str(folder / "slapd.conf"), "-l", str(folder / "people.ldif")]
    subprocess.run(tool, check=True, capture_output=True)
    port = free_port()
    url = f"{'ldap' if certificate is None else 'ldaps'}://127.0.0.1:{port}"
    with subprocess.Popen([SLAPD, "-f", str(folder / "slapd.conf"), "-h", url, "-d", "0"]) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    for _ in range(500):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise AssertionError("the LDAP server does not listen")


class SmallLdap:
    """Binds and searches, as slapd with the configuration above. `silent`: it takes connections, and says nothing."""

    def __init__(self) -> None:
        self.binds: list[str] = []
        self.silent = False
        self._passwords = {SERVICE: SERVICE_PASSWORD, **{dn_of(user): password for user, (password, _) in PEOPLE.items()}}
        self._entries: dict[str, dict[str, list[str]]] = {
            **{dn_of(user): {"uid": [user], "objectClass": ["inetOrgPerson"], **more} for user, (_, more) in PEOPLE.items()},
            **{f"cn={name},ou=groups,{BASE}": {"member": [dn_of(m) for m in members]} for name, members in GROUPS.items()},
        }
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for sock in self._open:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        data, who = b"", ""
        with suppress(OSError):
            while received := sock.recv(65_536):
                data += received
                while data and not self.silent:
                    try:
                        message, data = decoder.decode(data, asn1Spec=asn1.LDAPMessage())
                    except SubstrateUnderrunError:
                        break
                    name = message["protocolOp"].getName()
                    request = message["protocolOp"].getComponent()
                    if name == "bindRequest":
                        who = self._bind(sock, message["messageID"], request)
                    elif name == "searchRequest":
                        self._search(sock, message["messageID"], request, who)
                    else:
                        return

    def _bind(self, sock: socket.socket, number: Any, request: Any) -> str:
        who, password = str(request["name"]), str(request["authentication"].getComponent())
        self.binds.append(who)
        is_known = not who or self._passwords.get(who.replace("\\2C", "\\,").replace("\\2c", "\\,")) == password
        response = asn1.BindResponse()
        _result(response, 0 if is_known else 49)
        _send(sock, number, "bindResponse", response)
        return who if is_known else ""

    def _search(self, sock: socket.socket, number: Any, request: Any, who: str) -> None:
        base = str(request["baseObject"])
        if who == SERVICE:
            for dn, attributes in self._entries.items():
                if dn.endswith(base) and _fits(request["filter"], attributes):
                    entry = asn1.SearchResultEntry()
                    entry["object"] = dn
                    entry["attributes"] = asn1.PartialAttributeList()
                    wanted = [str(one) for one in request["attributes"]]
                    for index, name in enumerate(name for name in attributes if name in wanted):
                        attribute = asn1.PartialAttribute()
                        attribute["type"] = name
                        attribute["vals"] = asn1.Vals()
                        for at, value in enumerate(attributes[name]):
                            attribute["vals"][at] = value
                        entry["attributes"][index] = attribute
                    _send(sock, number, "searchResEntry", entry)
        done = asn1.SearchResultDone()
        _result(done, 0)
        _send(sock, number, "searchResDone", done)


def _fits(wanted: Any, attributes: dict[str, list[str]]) -> bool:
    part = wanted.getComponent()
    if wanted.getName() == "present":
        return str(part) in attributes
    assert wanted.getName() == "equalityMatch", wanted
    value = bytes(part["assertionValue"]).decode().replace("\\2C", "\\,").replace("\\2c", "\\,")
    return value in attributes.get(str(part["attributeDesc"]), ())


def _result(response: Any, code: int) -> None:
    response["resultCode"] = code
    response["matchedDN"] = response["diagnosticMessage"] = ""


def _send(sock: socket.socket, number: Any, name: str, response: Any) -> None:
    message = asn1.LDAPMessage()
    message["messageID"] = number
    message["protocolOp"] = asn1.ProtocolOp().setComponentByName(name, response)
    sock.sendall(encoder.encode(message))
