"""Ready-made responses of proxies, CDNs and maintenance pages in front of an exchange."""

from collections.abc import Mapping

from mockserver.model.http import Response

HTML = (b"content-type", b"text/html; charset=utf-8")


def _page(status: int, title: str, text: str, *headers: tuple[bytes, bytes]) -> Response:
    body = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>{text}</center>\r\n</body>\r\n</html>\r\n"
    )
    return Response(status, (HTML, *headers), body.encode())


ERROR_PAGES: Mapping[str, Response] = {
    "proxy-502": _page(502, "502 Bad Gateway", "proxy"),
    "proxy-504": _page(504, "504 Gateway Time-out", "proxy"),
    "proxy-413": _page(413, "413 Request Entity Too Large", "proxy"),
    "cdn-403": _page(403, "403 Forbidden", "Request blocked.", (b"server", b"cdn")),
    "cdn-challenge": _page(
        403, "Just a moment...", "Enable JavaScript and cookies to continue", (b"server", b"cdn")
    ),
    "cdn-522": _page(522, "522 Connection timed out", "cdn", (b"server", b"cdn")),
    "maintenance": _page(
        503, "Scheduled maintenance", "We will be back shortly.", (b"retry-after", b"600")
    ),
}
