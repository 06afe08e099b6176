"""The URL forms."""

import pytest

from core.redis.address import parse


class TestParse:
    @pytest.mark.parametrize(
        ("url", "kind", "hosts", "master", "database"),
        [
            ("redis://:pw@example.org:6380/2", "plain", (), "", 2),
            ("rediss://example.org", "plain", (), "", 0),
            ("unix:///run/redis.sock?db=1", "plain", (), "", 0),
            ("sentinel://a:1,b:2/mymaster/3", "sentinel", (("a", 1), ("b", 2)), "mymaster", 3),
            ("sentinel://a,[::1]:5/mymaster", "sentinel", (("a", 26379), ("::1", 5)), "mymaster", 0),
            ("cluster://a,b:7000", "cluster", (("a", 6379), ("b", 7000)), "", 0),
        ],
    )
    def test_reads_each_form(self, url, kind, hosts, master, database):
        address = parse(url)

        assert (address.kind, address.hosts, address.master, address.database) == (kind, hosts, master, database)

    def test_reads_credentials_and_tls(self):
        address = parse("clusters://us%3Aer:p%40%2Fss@a:1")

        assert (address.username, address.password, address.tls) == ("us:er", "p@/ss", True)

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("", "nothing:// is not a Redis URL"),
            ("localhost:6379", "is not a Redis URL"),
            ("http://a", "http:// is not a Redis URL"),
            ("redis://a:notaport/0", "port is not a number"),
            ("redis://a:70000/0", "port is not a number"),
            ("redis://a/main", "database is a number"),
            ("redis://:se#cret@a/0", "percent-encode special"),
            ("unix://", "names the socket's path"),
            ("sentinel://a:1,b:2", "names its master"),
            ("sentinel://a:x/m", "'a:x' is not host:port"),
            ("sentinel://a,,b/m", "'' is not host:port"),
            ("sentinel://a/m/zero", "database is a number"),
            ("cluster://a:1/0", "one database only"),
        ],
    )
    def test_says_what_is_wrong(self, url, says):
        with pytest.raises(ValueError, match=says):
            parse(url)

    @pytest.mark.parametrize("url", ["redis://:hush@a:x/0", "sentinel://:hush@a:x/m", "redis://:hu#sh@a/0"])
    def test_tells_no_password(self, url):
        with pytest.raises(ValueError, match=r"port|percent") as refused:
            parse(url)

        assert "hu" not in str(refused.value)
        assert "hush" not in repr(parse("sentinel://:hush@a/m"))
