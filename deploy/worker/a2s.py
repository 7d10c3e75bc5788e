"""players(): how many people play on a server, asked with the query of Valve's games, A2S_INFO. For copying; standard library
only."""
import socket
import time

QUERY = b"\xff\xff\xff\xffTSource Engine Query\0"
CHALLENGE, INFO = b"\xff\xff\xff\xffA", b"\xff\xff\xff\xffI"


def players_of(answer):
    """From an answer that begins with INFO; bots do not count. ValueError or IndexError for what is none."""
    rest = answer[len(INFO) + 1:].split(b"\0", 4)[4]  # behind protocol, name, map, directory, game: id (2 bytes), players, most, bots
    if len(rest) < 5:
        raise ValueError("the answer is cut")
    return max(rest[2] - rest[4], 0)


def players(port, host="127.0.0.1", patience=3):
    """None where there is no answer: the server is still loading, or hangs. A server may want to see a number again that it has
    sent, its challenge."""
    until, query = time.monotonic() + patience, QUERY
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        try:
            udp.connect((host, port))
            while (left := until - time.monotonic()) > 0:
                udp.send(query)
                udp.settimeout(min(left, 1))  # a datagram may be lost
                try:
                    answer = udp.recv(65536)
                except TimeoutError:
                    continue
                if answer.startswith(CHALLENGE):
                    query = QUERY + answer[len(CHALLENGE):len(CHALLENGE) + 4]
                elif answer.startswith(INFO):
                    return players_of(answer)
        except (OSError, ValueError, IndexError):  # no way there; nobody listens; nonsense
            pass
    return None
