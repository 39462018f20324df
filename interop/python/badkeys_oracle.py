#!/usr/bin/env python3
"""An oracle for weak keys: the PyPI package badkeys, which must be installed already.

Two uses, chosen by standard input:

* nothing on it: makes weak RSA keys of the kinds that badkeys detects, asks badkeys about each, and prints one JSON
  line {"name", "pem", "check"} per key that badkeys calls vulnerable. "check" names its findings, joined by "+".
  A kind that badkeys does not recognise ends the program with an error: then this script is wrong.
* lines of "name<TAB>pem", with line breaks in the PEM written as \\n: prints the same JSON line for each, with an
  empty "check" when badkeys finds nothing.

The keys are the same in every run. "blocklist" is left out, because it needs a download.
"""

import base64
import hashlib
import json
import sys
import textwrap

import gmpy2
from badkeys.checks import allchecks, checkpubkey
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

CHECKS = [name for name in allchecks if name != "blocklist"]

# Findings about a size or exponent that is unusual but sound, and about keys too long for the table of sizes.
HARMLESS = {"not_multiple_of_8", "unusual_keysize", "exponent_not_65537"}


def noise(seed, bits):
    """A number of exactly `bits` bits that looks random, the two highest set."""
    octets, counter = b"", 0
    while len(octets) * 8 < bits:
        octets += hashlib.sha256(f"{seed} {counter}".encode()).digest()
        counter += 1
    number = int.from_bytes(octets, "big") >> (len(octets) * 8 - bits)
    return number | 3 << (bits - 2)


def prime(seed, bits=1024):
    return int(gmpy2.next_prime(noise(seed, bits)))


def sparse_prime(seed, width, used, words):
    """A prime whose words of `width` bits have only their lowest `used` bits filled."""
    number = sum(noise(f"{seed} {i}", used) << (i * width) for i in range(words))
    return int(gmpy2.next_prime(number))


def without_small_factors(n):
    """The next odd number that no prime up to 65537 divides, so that no easier finding hides the one meant."""
    while allchecks["smallfactors"]["function"](n):
        n += 2
    return n


def roca_prime(seed):
    """A prime of the form k * M + 65537^a mod M, M the product of the primes up to 701."""
    modulus, candidate = 1, 2
    while candidate <= 701:
        modulus *= candidate
        candidate = int(gmpy2.next_prime(candidate))
    k = noise(seed, 1024) // modulus
    power = pow(65537, noise(seed, 64), modulus)
    while True:
        candidate = k * modulus + power
        if gmpy2.is_prime(candidate):
            return candidate
        k += 1


def payload(seed):
    """An odd modulus that begins with numbers a, b, c such that a * b + c = 2 (mod 2^64)."""
    octets = bytearray(noise(seed, 2048).to_bytes(256, "big"))
    octets[255] |= 1
    # Written with its sign octet, as badkeys and the SSH wire format do.
    head = bytearray(b"\0") + octets[:15]
    a = int.from_bytes(head[0:4], "little")
    b = int.from_bytes(head[4:8], "little")
    head[8:16] = ((2 - a * b) % 2**64).to_bytes(8, "little")
    octets[:15] = head[1:]
    return int.from_bytes(octets, "big")


def weak_keys():
    """Yields (name, n, e, check that must find it)."""
    p, q = prime("p"), prime("q")
    n, e = p * q, 65537
    yield "square", p * p, e, "fermat"
    yield "next prime", p * int(gmpy2.next_prime(p)), e, "fermat"
    yield "close primes", p * int(gmpy2.next_prime(p + 2**515)), e, "fermat"
    yield "roca", roca_prime("p") * roca_prime("q"), e, "roca"
    for factor in (3, 5, 257, 65521, 65537):
        yield f"factor {factor}", factor * prime("rest", 2048), e, "smallfactors"
    yield "one bit flipped", n ^ 1 << 77, e, None
    for exponent in (1, n + 2):
        yield f"exponent {'one' if exponent == 1 else 'above n'}", n, exponent, "rsainvalid"
    yield "exponent 3", n, 3, "rsawarnings"
    yield "short modulus", prime("p", 512) * prime("q", 512), e, "rsawarnings"
    yield "small d", n, pow(2**33 + 17, -1, (p - 1) * (q - 1)), "smalld"
    nautilus = [sparse_prime(seed, 128, 10, 9) for seed in "pq"]
    yield "nautilus", nautilus[0] * nautilus[1], e, "rsapoly"
    completeftp = [sparse_prime(seed, 32, 8, 33) for seed in "pq"]
    yield "completeftp", completeftp[0] * completeftp[1], e, "rsapoly"
    zeros = noise("zeros", 2048) & (noise("more zeros", 2048) | 2**1024 - 1) | 1 | 1 << 2047
    yield "few bits set", without_small_factors(zeros), e, "rsabias"
    ones = noise("ones", 2048) | noise("more ones", 2048) | 1
    yield "many bits set", without_small_factors(ones), e, "rsabias"
    vanity = noise("vanity", 2048) | (noise("more vanity", 1024) << 1024) | 1
    yield "vanity", without_small_factors(vanity), e, "rsabias"
    run = int.from_bytes(b"\x41" * 20, "big")
    pattern = noise("run", 2048) & ~((2**160 - 1) << 512) | run << 512 | 1
    yield "run of octets", without_small_factors(pattern), e, "pattern"
    yield "payload", without_small_factors(payload("payload")), e, "xzbackdoor"


def to_pem(n, e):
    """A SubjectPublicKeyInfo in PEM. Written by hand: no library lets such keys through."""

    def element(tag, content):
        length = len(content)
        if length < 128:
            return bytes([tag, length]) + content
        octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
        return bytes([tag, 0x80 | len(octets)]) + octets + content

    def integer(number):
        return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))

    rsa_encryption = bytes.fromhex("06092a864886f70d0101010500")
    key = element(0x30, integer(n) + integer(e))
    spki = element(0x30, element(0x30, rsa_encryption) + element(3, b"\0" + key))
    body = "\n".join(textwrap.wrap(base64.b64encode(spki).decode(), 64))
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n"


def findings_about(n, e):
    """What badkeys finds, each as "check" or "check:subtest"."""
    found = []
    for name in CHECKS:
        check = allchecks[name]
        if check["type"] != "rsa":
            continue
        result = check["function"](n, e=e)
        subtest = result.get("subtest") if result else None
        if result and subtest not in HARMLESS:
            found.append(f"{name}:{subtest}" if subtest else name)
    return found


def judge(pem):
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError:
        return ["unparseable"]
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return findings_about(numbers.n, numbers.e)
    return list(checkpubkey(pem, checks=CHECKS)["results"])


def report(name, pem, found):
    print(json.dumps({"name": name, "pem": pem, "check": "+".join(found)}))


def main():
    lines = sys.stdin.read().splitlines()
    if lines:
        for line in lines:
            name, pem = line.split("\t", 1)
            pem = pem.replace("\\n", "\n")
            report(name, pem, judge(pem))
        return
    for name, n, e, expected in weak_keys():
        found = findings_about(n, e)
        if expected and not any(finding.split(":")[0] == expected for finding in found):
            sys.exit(f"badkeys does not find {expected} in the key made for it: {name}: {found}")
        if found:
            report(name, to_pem(n, e), found)


if __name__ == "__main__":
    main()
