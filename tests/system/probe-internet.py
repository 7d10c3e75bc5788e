"""probe-internet.py CERTIFICATE KEY: names over UDP port 53, HTTPS on 443, a port 80 that takes connections; all addresses."""
import http.server
import ipaddress
import socket
import socketserver
import ssl
import struct
import sys
import threading

NAMES = {"www.example.com": ("203.0.113.7", "2001:db8:2::7"), "rebind.example.com": ("127.0.0.1", "::1"),
         "localhost": ("127.0.0.1", "::1")}


def answer(query):
    name, at = [], 12
    while query[at]:
        name.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    addresses = NAMES.get(".".join(name).lower())
    data = b""
    if addresses and kind in (1, 28):
        packed = ipaddress.ip_address(addresses[kind == 28]).packed
        data = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(packed)) + packed
    flags = 0x8180 if addresses else 0x8183
    return query[:2] + struct.pack(">HHHHH", flags, 1, bool(data), 0, 0) + question + data


def serve_names(family, address):
    # One socket for each address, so that an answer comes from where the question went.
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.bind((address, 53))
        while True:
            query, peer = s.recvfrom(512)
            s.sendto(answer(query), peer)


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        self.send_response(200)
        self.send_header("Content-Length", "18")
        self.end_headers()
        self.wfile.write(b"hello from outside")

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 128


for resolver in ("1.1.1.1", "8.8.8.8"):
    threading.Thread(target=serve_names, args=(socket.AF_INET, resolver), daemon=True).start()
plain = Server(("::", 80), Page)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure = Server(("::", 443), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
secure.socket = context.wrap_socket(secure.socket, server_side=True)
print("ready", flush=True)
secure.serve_forever()
