"""A certificate authority of the tests, which machines trust; and one that answers as Let's Encrypt does."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.hosting.machine import Machine

_DAY: Final = datetime.timedelta(days=1)
#: Where Caddy asks for certificates unless it is told otherwise.
PUBLIC: Final = "acme-v02.api.letsencrypt.org"
_CADDY: Final = f"""\
{{
	pki {{
		ca local {{
			root {{
				cert /etc/authority/root.pem
				key /etc/authority/root.key
			}}
		}}
	}}
}}
{PUBLIC} {{
	tls /etc/authority/own.pem /etc/authority/own.key
	rewrite /directory /acme/local/directory
	acme_server
}}
"""


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    certificate: str
    key: str


class Authority:
    """Issues certificates for names."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Snug's tests")])
        root = self._builder(self._name, self._key.public_key())
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        self.root = self._signed(root.add_extension(usage, critical=True), self._key)

    def _builder(self, name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 60 * _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )

    def _signed(self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> Pair:
        certificate = builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Pair(certificate.decode(), private.decode())

    def issue(self, name: str) -> Pair:
        """Return a certificate for a name, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key.public_key())
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        return self._signed(builder.add_extension(names, critical=False), key)

    def trusted_on(self, machine: Machine) -> None:
        """Let all programs of a machine trust this authority."""
        machine.write("/etc/ssl/certs/snug-tests.pem", self.root.certificate)
        machine.run(
            "cd /etc/ssl/certs; cat snug-tests.pem >> ca-certificates.crt\n"
            'ln -sf snug-tests.pem "$(openssl x509 -noout -hash -in snug-tests.pem).0"'
        )

    def serve(self, machine: Machine) -> None:
        """Let a machine answer as Let's Encrypt does: it issues a certificate to whoever serves the name."""
        own = self.issue(PUBLIC)
        for name, text in (
            ("root.pem", self.root.certificate),
            ("root.key", self.root.key),
            ("own.pem", own.certificate),
            ("own.key", own.key),
        ):
            machine.write(f"/etc/authority/{name}", text)
        machine.write("/etc/caddy/Caddyfile", _CADDY)
        machine.run("chmod -R a+rX /etc/authority; systemctl start caddy")
