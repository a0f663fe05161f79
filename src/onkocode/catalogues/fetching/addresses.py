"""Which addresses may be asked, and how consent to the terms is said to BfArM."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

CONSENT = "cms_dlConfirm"
LANDING_PAGE = re.compile(r"_(zip|txt|xml|csv)\.html$")  # BfArM's pages that send the file once consent is given
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def with_consent(url: str) -> str:
    """Return the address with the mark of consent, where BfArM's page asks for it; call it after consent was given."""
    pieces = urlsplit(url)
    if not LANDING_PAGE.search(pieces.path):
        return url
    return urlunsplit(pieces._replace(query=urlencode([*parse_qsl(pieces.query), (CONSENT, "true")])))


def is_allowed(url: str) -> bool:
    """Tell whether an address is encrypted, or of this machine."""
    try:
        pieces = urlsplit(url)
    except ValueError:
        return False
    plain = pieces.scheme == "http" and pieces.hostname in LOCAL_HOSTS
    return bool(pieces.hostname) and (pieces.scheme == "https" or plain)
