"""The URL forms."""

import pytest

from core.redis.address import parse


class TestParse:
    @pytest.mark.parametrize(
        ("url", "kind", "hosts", "master", "database"),
        [
            ("redis://:pw@example.org:6380/2", "plain", (("example.org", 6380),), "", 2),
            ("redis://example.org/1?db=2", "plain", (("example.org", 6379),), "", 2),
            ("rediss://example.org", "plain", (("example.org", 6379),), "", 0),
            ("unix:///run/redis.sock?db=1", "unix", (), "", 1),
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
        "url",
        [
            "rediss://a?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
            "sentinels://a/m?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
            "clusters://a?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
        ],
    )
    def test_reads_options_of_tls(self, url):
        assert dict(parse(url).tls_options) == {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False}

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("", "has no scheme"),
            ("localhost:6379", "has no scheme"),
            ("http://a", "http:// is not a Redis URL"),
            ("redis://a:notaport/0", "port is not a number"),
            ("redis://a:70000/0", "port is not a number"),
            ("redis://a/main", "database is not a number"),
            ("redis://a/0?db=main", "database is not a number"),
            ("rediss://a?ssl_cert_reqs=never", "ssl_cert_reqs is"),
            ("redis://:se/cret@a/0", "percent-encode special"),
            ("sentinel://:se/cret@a/m", "percent-encode special"),
            ("unix://run/redis.sock", "three slashes"),
            ("redis://:se#cret@a/0", "percent-encode special"),
            ("unix://", "names the socket's path"),
            ("sentinel://a:1,b:2", "names its master"),
            ("sentinel://a:x/m", "not host:port"),
            ("sentinel://a,,b/m", "not host:port"),
            ("sentinel://a/m/zero", "database is not a number"),
            ("cluster://a:1/0", "one database only"),
        ],
    )
    def test_says_what_is_wrong(self, url, says):
        with pytest.raises(ValueError, match=says):
            parse(url)

    @pytest.mark.parametrize(
        "url",
        [
            "redis://:hush@a:x/0",
            "sentinel://:hush@a:x/m",
            "redis://:hu#sh@a/0",
            "redis://:hu/sh@a/0",
            "sentinel://:hu/sh@a/m/0",
            "cluster://:hu/sh@a",
            "hush@a:1",
        ],
    )
    def test_tells_no_password(self, url):
        with pytest.raises(ValueError, match=r"port|percent|scheme") as refused:
            parse(url)

        assert "hu" not in str(refused.value)
        assert "hush" not in repr(parse("sentinel://:hush@a/m"))
