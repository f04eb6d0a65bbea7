"""TLS in front of a server that has none. Arguments: port to serve, port to lead to."""

import asyncio
import ssl
import sys

SERVED, LED_TO = map(int, sys.argv[1:])
CERTIFICATE = "/tls/tls.crt", "/tls/tls.key"
PIECE = 65536


async def carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on whatever comes until it ends."""
    try:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def led(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", LED_TO)
    await asyncio.gather(carried(reader, inner_writer), carried(inner_reader, writer))


async def main() -> None:
    """Serve until killed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*CERTIFICATE)
    server = await asyncio.start_server(led, None, SERVED, ssl=context)
    await server.serve_forever()


asyncio.run(main())
