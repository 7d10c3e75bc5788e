"""Addresses, protocols and families of sockets."""
import errno
import os
import select
import socket
import struct
import time

from probes import Skip, probe
from probes.kernel import run_32_bits

# Linux's numbers of what Python may not name.
IPPROTO_MPTCP, IPPROTO_SCTP, IPPROTO_UDPLITE, IPPROTO_DCCP, SOCK_DCCP = 262, 132, 136, 33, 6

LOOPBACK = ["127.0.0.1", "127.1", "127.255.255.254", "0.0.0.0", "0", "2130706433", "0x7f000001", "0177.0.0.1", "localhost",
            "ip6-localhost", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::127.0.0.1", "0:0:0:0:0:0:0:1"]
NOT_PUBLIC = ["169.254.169.254", "169.254.0.1", "::ffff:169.254.169.254", "fe80::a9fe:a9fe", "fd00:ec2::254",
              "10.0.0.1", "10.255.255.254", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.255.254",
              "100.64.0.1", "100.127.255.254", "100.100.100.200", "192.0.0.192", "198.18.0.1", "198.19.255.254",
              "::ffff:10.0.0.1", "::ffff:192.168.0.1", "0.0.0.1", "224.0.0.251", "239.255.255.250", "240.0.0.1",
              "255.255.255.255", "fc00::1", "fdff::1", "fec0::1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1",
              "100::1", "2001::1", "2002:7f00:1::1", "2002:a00:1::1", "ff02::fb", "ff05::2"]
# Each one step outside of a denied range.
PUBLIC = ["203.0.113.7", "198.51.101.7", "192.0.2.7", "1.1.1.1", "8.8.8.8", "9.255.255.254", "11.0.0.1", "100.63.255.254",
          "100.128.0.1", "126.255.255.254", "128.0.0.1", "169.253.255.254", "169.255.0.1", "172.15.255.254", "172.32.0.1",
          "191.255.255.254", "192.0.1.1", "192.167.255.254", "192.169.0.1", "198.17.255.254", "198.20.0.1",
          "223.255.255.254", "2001:db8:2::7", "2001:1::7", "2003::7", "2606:4700:4700::1111"]
# Nothing can be sent there for want of a route, an address of the family or the family itself.
NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def _resolve(name, port):
    try:
        return socket.getaddrinfo(name, port, type=socket.SOCK_DGRAM)[0]
    except OSError:
        return None


def _scoped(address, index):
    """Link-local needs an interface."""
    if len(address) == 4 and address[0].startswith(("fe80", "ff02")):
        return address[0].split("%")[0], address[1], 0, index
    return address


def _interface():
    try:
        with open("/proc/self/net/if_inet6", encoding="ascii") as file:
            return next((int(f[1], 16) for f in map(str.split, file) if f[5] != "lo"), 0)
    except OSError:
        return 0


def _datagram(family, address):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            s.sendto(b"", address)
            return 0
        except OSError as error:
            return error.errno


def connects(targets, patience):
    """targets: name -> (family, address). All at once; returns the names that answered."""
    waiting, connected = {}, set()
    for name, (family, address) in targets.items():
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setblocking(False)
        try:
            number = s.connect_ex(address)
        except OSError as error:
            number = error.errno
        if number == 0:
            connected.add(name)
        if number == errno.EINPROGRESS:
            waiting[s] = name
        else:
            s.close()
    end = time.monotonic() + patience
    while waiting and (left := end - time.monotonic()) > 0:
        for s in select.select([], list(waiting), [], left)[1]:
            if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                connected.add(waiting[s])
            del waiting[s]
            s.close()
    return connected


def _refused(names, facts, port):
    """A datagram to each gives EPERM, and no stream connects."""
    answers, streams = {}, {}
    index = _interface()
    for name in names:
        found = _resolve(name, port)
        if found is None:
            answers[name] = None
            continue
        address = _scoped(found[4], index)
        number = _datagram(found[0], address)
        if number == 0:
            answers[name] = "a datagram can be sent"
        elif number == errno.EPERM or (number in NO_ROUTE and not facts.get("routed")):
            answers[name] = None
        elif name in ("0.0.0.1", "255.255.255.255", "ff02::fb", "ff05::2") or number == errno.EADDRNOTAVAIL:
            answers[name] = None
        else:
            answers[name] = f"not the filter but {os.strerror(number)}"
        streams[name] = (found[0], address)
    for name in connects(streams, 1.0):
        answers[name] = "a stream connects"
    return answers


@probe("not to be reached:", "build")
def loopback(facts):
    return _refused(LOOPBACK, facts, int(facts.get("tcp")))


@probe("not to be reached:", "build")
def not_public(facts):
    return _refused(NOT_PUBLIC, facts, int(facts.get("anyip", "80")))


@probe("not to be reached, the host's own:", "build")
def own_addresses(facts):
    if not facts.all("address"):
        raise Skip("the host has no address but loopback")
    return _refused(facts.all("address"), facts, int(facts.get("tcp")))


@probe("to be reached:", "build")
def public(facts):
    if not facts.get("routed"):
        raise Skip("no network that answers to every address")
    answers, streams = {}, {}
    for name in PUBLIC:
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        address = (name, int(facts.get("anyip")))
        number = _datagram(family, (name, 9))
        answers[name] = f"a datagram: {os.strerror(number)}" if number else "no stream connects"
        streams[name] = (family, address)
    for name in connects(streams, 3.0):
        if answers[name] == "no stream connects":
            answers[name] = None
    return answers


@probe("loopback by another way:", "build")
def other_ways(facts):
    port = int(facts.get("tcp"))
    answers = {}

    def attempt(name, kind, protocol, bind_to=None, flags=None):
        try:
            with socket.socket(socket.AF_INET, kind, protocol) as s:
                s.settimeout(0.7)
                if bind_to:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bind_to)
                if flags is not None:
                    s.sendto(b"x", flags, ("127.0.0.1", port))
                elif kind == socket.SOCK_DGRAM:
                    s.sendto(b"x" * 8, ("127.0.0.1", port))
                else:
                    s.connect(("127.0.0.1", port))
            answers[name] = "reaches it"
        except OSError:
            answers[name] = None

    attempt("bound to lo", socket.SOCK_STREAM, 0, bind_to=b"lo\0")
    attempt("datagrams bound to lo", socket.SOCK_DGRAM, 0, bind_to=b"lo\0")
    attempt("MPTCP", socket.SOCK_STREAM, IPPROTO_MPTCP)
    attempt("SCTP", socket.SOCK_STREAM, IPPROTO_SCTP)
    attempt("DCCP", SOCK_DCCP, IPPROTO_DCCP)
    attempt("UDP-Lite", socket.SOCK_DGRAM, IPPROTO_UDPLITE)
    attempt("echo requests", socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    attempt("TCP fast open", socket.SOCK_STREAM, 0, flags=0x20000000)
    return answers


@probe("source routes", "build")
def source_routes(facts):
    # Two hops: a public address first, then loopback.
    option = bytes([131, 7, 4]) + socket.inet_aton("127.0.0.1") + b"\0"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(0.7)
        try:
            s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, option)
            s.connect(("203.0.113.7", int(facts.get("tcp"))))
            return "the stream connects"
        except OSError:
            return None


@probe("socket families", "build")
def families_of_a_build(facts):
    return _families({socket.AF_INET, socket.AF_INET6} | ({socket.AF_UNIX} if facts.get("unix_sockets") else set()))


@probe("socket families", "server", "update")
def families_of_a_server(_facts):
    return _families({socket.AF_INET, socket.AF_INET6, socket.AF_UNIX})


def _families(allowed):
    got = []
    for family in range(0, 46):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            if family in allowed:
                continue
            try:
                socket.socket(family, kind, 0).close()
                got.append(f"{family}/{kind}")
            except OSError as error:
                if error.errno not in (errno.EAFNOSUPPORT, errno.EPERM):
                    got.append(f"{family}/{kind} ({errno.errorcode[error.errno]})")
    return " ".join(got[:12]) or None


def socket_of_32_bits(facts, family, kind, protocol):
    """Ends with the error number, 0 when the socket is made."""
    text = struct.pack("<BIBIBIBI", 0xB8, 359, 0xBB, family, 0xB9, kind, 0xBA, protocol)
    text += b"\xcd\x80\x85\xc0\x79\x04\xf7\xd8\xeb\x02\x31\xc0"     # int 0x80; eax = eax < 0 ? -eax : 0
    text += b"\x89\xc3\xb8\x01\x00\x00\x00\xcd\x80"                 # exit(eax)
    return run_32_bits(facts, text)


# Module, family, type and protocol of a socket that would have it loaded.
ON_DEMAND = [("vsock", 40, 1, 0), ("af_alg", 38, 5, 0), ("crypto_user", 16, 3, 21), ("sctp", 2, 1, 132), ("sctp", 10, 1, 132),
             ("l2tp_ip", 2, 2, 115), ("tipc", 30, 5, 0), ("can", 29, 3, 1), ("bluetooth", 31, 3, 1), ("smc", 43, 1, 0),
             ("af_key", 15, 3, 2), ("rds", 21, 5, 0), ("rxrpc", 33, 2, 2), ("kcm", 41, 5, 0), ("qrtr", 42, 2, 0), ("nfc", 39, 5, 0),
             ("llc2", 26, 1, 0), ("phonet", 35, 2, 0), ("caif", 37, 5, 0), ("atm", 20, 2, 5), ("dccp_ipv4", 2, 6, 33)]


@probe("a socket of this kind has no module loaded on demand:", "server", "update")
def on_demand(facts):
    """By 32-bit code as well, for which RestrictAddressFamilies= does not hold. Modules that are there already say nothing."""
    def loaded():
        with open("/proc/modules", encoding="ascii") as file:
            return {line.split()[0] for line in file}
    if not os.path.exists("/proc/modules"):
        raise Skip("this kernel has no modules")
    answers = {}
    for name, family, kind, protocol in ON_DEMAND:
        before = loaded()
        socket_of_32_bits(facts, family, kind, protocol)
        try:
            socket.socket(family, kind, protocol).close()
        except OSError:
            pass
        more = loaded() - before
        if name in before:
            answers.setdefault(name, "skip this host has loaded it")
        else:
            answers[name] = f"loaded: {' '.join(sorted(more))}" if more else answers.get(name)
    return answers


@probe("raw sockets", "build", "server")
def raw(_facts):
    answers = {}
    for name, family, protocol in (("ICMP", socket.AF_INET, 1), ("TCP", socket.AF_INET, 6), ("any", socket.AF_INET, 255),
                                   ("ICMPv6", socket.AF_INET6, 58), ("packets", 17, 0x0300)):
        try:
            socket.socket(family, socket.SOCK_RAW, protocol).close()
            answers[name] = "can be made"
        except OSError:
            answers[name] = None
    return answers


def _binds(kind, port, address="0.0.0.0", family=socket.AF_INET):
    with socket.socket(family, kind) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind((address, port))
            if kind == socket.SOCK_STREAM:
                s.listen()
            return True
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            return False


KINDS = (("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM))


@probe("a port of this host cannot be taken:", "build")
def no_ports(facts):
    return _taken(int(facts.get("port", "27015")), 8000)


@probe("a port of the servers cannot be taken:", "update")
def no_port_of_servers(facts):
    return _taken(int(facts.get("port", "27015")))


def _taken(*ports):
    answers = {}
    for port in ports:
        for name, kind in KINDS:
            for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                taken = _binds(kind, port, address, family)
                answers[f"{name} {address} {port}"] = "it can" if taken else None
    return answers


@probe("its own port, and RCON on loopback", "server")  # F6
def rcon(facts):
    port = int(facts.get("port", "0"))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", port))
        s.listen()
        port = s.getsockname()[1]
        u.bind(("0.0.0.0", port))
        with socket.create_connection(("127.0.0.1", port), 2), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as v:
            v.sendto(b"status", ("127.0.0.1", port))
            u.settimeout(2)
            return None if u.recv(9) == b"status" else "no datagram"


@probe("strict_ports", "server")  # F11
def strict_ports(facts):
    if not facts.get("ports"):
        raise Skip("not set")
    low, high = (int(x) for x in facts.get("ports").split("-"))
    answers = {}
    for name, kind in KINDS:
        for port in (high, low):
            answers[f"allows {name} {port}"] = None if _binds(kind, port) else "it does not"
        for port in (low - 1, high + 1, 8000, 0):
            answers[f"refuses {name} {port}"] = "it does not" if _binds(kind, port) else None
            answers[f"refuses {name} :: {port}"] = "it does not" if _binds(kind, port, "::", socket.AF_INET6) else None
    return answers
