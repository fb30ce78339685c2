"""The other side of a TLS session, by Python's ssl module (OpenSSL). Prints what it sees, one fact per line."""
import socket
import ssl
import sys


def report(tls):
    print("version", tls.version())
    print("cipher", tls.cipher()[0])
    print("alpn", tls.selected_alpn_protocol())
    print("tls-unique", tls.get_channel_binding("tls-unique").hex())
    print("reused", tls.session_reused)
    peer = tls.getpeercert(binary_form=True)
    print("peer", peer.hex() if peer else "none", flush=True)


def client(port, group, alpn, *chain):
    with connection(port, group, alpn, *chain) as tls:
        tls.sendall(b"ping")
        assert tls.recv(4) == b"pong"
        report(tls)


def hello(port, group, alpn):
    """Reads the relay's hello: length, versions, session ID."""
    with connection(port, group, alpn) as tls:
        block = b""
        while len(block) < 16384:
            block += tls.recv(16384 - len(block))
        content = block[2:2 + int.from_bytes(block[:2], "big")]
        assert set(block[2 + len(content):]) <= set(b"#")
        print("versions", f"{int.from_bytes(content[:2], 'big')}-{int.from_bytes(content[2:4], 'big')}")
        print("session", content[5:5 + content[4]].hex())
        report(tls)


def connection(port, group, alpn, *chain):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if alpn != "-":
        context.set_alpn_protocols(alpn.split(","))
    if group != "-":
        context.set_ecdh_curve(group)
    if chain:
        context.load_cert_chain(*chain)
    return context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))))


def server(chain, key, group):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(chain, key)
    context.set_alpn_protocols(["smp/1"])
    if group != "-":
        context.set_ecdh_curve(group)
    names = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print("port", listener.getsockname()[1], flush=True)
        tcp, _ = listener.accept()
        with tcp, context.wrap_socket(tcp, server_side=True) as tls:
            assert tls.recv(4) == b"ping"
            tls.sendall(b"pong")
            report(tls)
            print("names", "none" if not any(names) else names[0], flush=True)


{"client": client, "hello": hello, "server": server}[sys.argv[1]](*sys.argv[2:])
