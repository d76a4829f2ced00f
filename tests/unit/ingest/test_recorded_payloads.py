"""Every recorded request is read whole, and what its README says of it is seen."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from bridge.domain.alert import Status, Webhook, fingerprint
from bridge.domain.errors import IngestError, IngestReason
from bridge.ingest.auth import Basic, Bearer, Hmac, authenticate, digest_of
from bridge.ingest.webhook import parse
from tests.payloads.recorded import ALERTMANAGER, GRAFANA, PROMETHEUS, Recorded

NOW = datetime(2026, 11, 23, 19, 0, tzinfo=UTC)
REDIRECTED = "after-redirect-302"  # a GET without body
WEBHOOKS = [request for request in ALERTMANAGER.values() if request.name != REDIRECTED]


def read(request: Recorded) -> Webhook:
    return parse("auto", request.body, "main", NOW)


def by_name(requests) -> dict[str, object]:
    requests = list(requests)
    return {"argvalues": requests, "ids": [request.name for request in requests]}


def test_the_recordings_are_all_here():
    assert (len(WEBHOOKS), len(GRAFANA), len(PROMETHEUS)) == (42, 8, 15)


@pytest.mark.parametrize("request_", **by_name([*WEBHOOKS, *GRAFANA.values()]))
def test_every_alert_is_read_as_it_was_sent(request_):
    webhook = read(request_)
    assert webhook.quarantined == ()
    sent = request_.parsed["alerts"]
    assert len(webhook.alerts) == len(sent) > 0
    for alert, entry in zip(webhook.alerts, sent, strict=True):
        assert alert.status == entry["status"]
        assert alert.labels == entry["labels"]
        assert alert.annotations == entry["annotations"]
        assert alert.fingerprint == entry["fingerprint"]
        assert (alert.starts_text, alert.ends_text) == (entry["startsAt"], entry["endsAt"])
        assert alert.generator_url == entry["generatorURL"]
        assert (alert.ends_at is None) == (entry["status"] == "firing")
    assert webhook.group_labels == request_.parsed["groupLabels"]
    assert webhook.group_key == request_.parsed["groupKey"]
    assert webhook.external_url == request_.parsed["externalURL"]
    assert webhook.truncated == request_.parsed["truncatedAlerts"]


@pytest.mark.parametrize("request_", **by_name(WEBHOOKS))
def test_alertmanagers_fingerprints_are_those_of_the_labels(request_):
    webhook = read(request_)
    assert (webhook.format, webhook.org) == ("alertmanager", "")
    assert [alert.fingerprint for alert in webhook.alerts] == [fingerprint(alert.labels) for alert in webhook.alerts]
    assert {alert.extra for alert in webhook.alerts} == {"{}"}


@pytest.mark.parametrize("request_", **by_name(GRAFANA.values()))
def test_grafanas_fingerprints_are_trusted_and_its_organisation_is_part_of_the_identity(request_):
    webhook = read(request_)
    assert (webhook.format, webhook.org) == ("grafana", "1")
    for alert in webhook.alerts:
        assert alert.key == ("main", "1", alert.fingerprint)
        if alert.labels["alertname"] != "TestAlert":
            assert alert.fingerprint != fingerprint(alert.labels)


@pytest.mark.parametrize("request_", **by_name(PROMETHEUS.values()))
def test_what_prometheus_posts_is_refused_with_word_of_where_it_belongs(request_):
    with pytest.raises(IngestError, match=r"/api/v2/alerts.*Let Prometheus send to an Alertmanager") as caught:
        read(request_)
    assert caught.value.reason is IngestReason.WRONG_FORMAT


def test_a_redirected_request_without_body_is_refused():
    with pytest.raises(IngestError, match="it is empty"):
        read(ALERTMANAGER[REDIRECTED])


def test_every_unknown_field_of_grafana_is_kept_as_it_was_written():
    extra = read(GRAFANA["firing"]).alerts[0].extra
    assert '"values":{"B":94.23943737541909,"C":1}' in extra
    assert '"ruleUID":"dfx1a2b3c4d5ef"' in extra
    assert '"orgId":1' in extra
    assert '"values":null' in read(GRAFANA["test-notification"]).alerts[0].extra
    assert '"imageURL":' in read(GRAFANA["with-images"]).alerts[0].extra


def test_grafana_may_put():
    request = GRAFANA["multi-alert"]
    assert request.method == "PUT"
    assert [alert.status for alert in read(request).alerts] == ["firing", "firing", "resolved"]


def test_the_receiver_is_unescaped():
    assert read(ALERTMANAGER["firing-templated-links"]).receiver == "team-web/pager.critical (eu)"
    assert read(ALERTMANAGER["firing-templated-links"]).alerts[0].receiver == "team-web/pager.critical (eu)"


def test_a_mixed_group_is_taken_alert_by_alert():
    webhook = read(ALERTMANAGER["mixed-group"])
    assert ALERTMANAGER["mixed-group"].parsed["status"] == "firing"
    assert sorted(alert.status for alert in webhook.alerts) == ["firing", "firing", "resolved"]


def test_a_repeated_notification_is_the_same_to_the_byte():
    assert ALERTMANAGER["repeat-watchdog"].body == ALERTMANAGER["firing-watchdog"].body


def test_a_clustered_pair_sends_the_same_to_the_byte():
    assert ALERTMANAGER["ha-second"].body == ALERTMANAGER["ha-first"].body


def test_an_unclustered_pair_differs_in_nothing_but_the_external_url():
    first, second = (read(ALERTMANAGER[f"ha-unclustered-{which}"]) for which in ("first", "second"))
    assert first.external_url != second.external_url
    assert first.alerts == second.alerts
    assert (first.group_labels, first.group_key) == (second.group_labels, second.group_key)


def test_truncation_stays_visible():
    five, one = read(ALERTMANAGER["max-alerts-5"]), read(ALERTMANAGER["max-alerts-1"])
    assert (len(five.alerts), five.truncated) == (5, 15)
    assert (len(one.alerts), one.truncated) == (1, 199)


def test_a_flapping_alert_keeps_its_identity_and_moves_its_start():
    firing, resolved, again = (
        read(ALERTMANAGER[f"flapping-{state}"]) for state in ("firing", "resolved", "firing-again")
    )
    assert firing.alerts[0].key == resolved.alerts[0].key == again.alerts[0].key
    assert firing.alerts[0].starts_at == resolved.alerts[0].starts_at < again.alerts[0].starts_at
    assert resolved.alerts[0].status is Status.RESOLVED
    assert resolved.alerts[0].starts_at < resolved.alerts[0].ends_at < again.alerts[0].starts_at


def test_a_resolved_alert_may_be_listed_as_resolved_again():
    def resolved(name: str) -> dict[str, datetime]:
        return {a.fingerprint: a.ends_at for a in read(ALERTMANAGER[name]).alerts if a.status is Status.RESOLVED}

    assert resolved("mixed-group").items() <= resolved("mixed-group-resolved-again").items()


def test_nanoseconds_and_offsets_are_kept_beside_the_moment():
    alert = read(ALERTMANAGER["starts-at-offset-nanoseconds"]).alerts[0]
    assert alert.starts_text == "2026-01-02T03:04:05.123456789+05:30"
    assert alert.starts_at == datetime(2026, 1, 1, 21, 34, 5, 123456, tzinfo=UTC)


def test_control_characters_stay_in_the_text():
    alert = read(ALERTMANAGER["awkward-quotes-backslashes-html"]).alerts[0]
    assert "\x1b[31mred\x1b[0m" in alert.annotations["control"]
    assert alert.labels["path"] == "C:\\Program Files\\App\\"


def test_groupings_that_name_nothing_are_empty():
    for name in ("group-by-empty", "group-by-missing-label-nothing-common"):
        assert read(ALERTMANAGER[name]).group_labels == {}


ALERTMANAGER_LOGINS = {
    "basic-auth": Basic("alertmanager", (digest_of("p@ss:wörd"),)),
    "basic-auth-from-url": Basic("hookuser", (digest_of("hook@pass"),)),
    "bearer": Bearer((digest_of("s3cr3t-t0ken"),)),
}


@pytest.mark.parametrize("name", ALERTMANAGER_LOGINS)
def test_alertmanagers_logins_are_accepted_and_no_others(name):
    request = ALERTMANAGER[name]
    authenticate([ALERTMANAGER_LOGINS[name]], request.pairs, request.body, NOW)
    for other in set(ALERTMANAGER_LOGINS) - {name}:
        with pytest.raises(IngestError):
            authenticate([ALERTMANAGER_LOGINS[other]], request.pairs, request.body, NOW)


def test_a_custom_authorization_type_is_refused_even_with_the_right_credentials():
    request = ALERTMANAGER["authorization-custom-type"]
    assert request.headers["Authorization"] == "GenieKey abc-123"
    with pytest.raises(IngestError):
        authenticate([Bearer((digest_of("abc-123"),))], request.pairs, request.body, NOW)


def test_a_login_survives_a_redirect_to_another_host():
    request = ALERTMANAGER["after-redirect-307-other-host"]
    scheme, token = request.headers["Authorization"].split()
    if scheme == "Basic":
        username, password = base64.b64decode(token).decode().split(":", 1)
        authenticate([Basic(username, (digest_of(password),))], request.pairs, request.body, NOW)
    else:
        authenticate([Bearer((digest_of(token),))], request.pairs, request.body, NOW)


@pytest.mark.parametrize("name", ["multi-alert", "with-images"])
def test_grafanas_logins_are_accepted(name):
    request = GRAFANA[name]
    scheme, token = request.headers["Authorization"].split()
    if scheme == "Bearer":
        way = Bearer((digest_of(token),))
    else:
        username, password = base64.b64decode(token).decode().split(":", 1)
        way = Basic(username, (digest_of(password),))
    authenticate([way], request.pairs, request.body, NOW)


@pytest.mark.parametrize("name", ["hmac-signed", "hmac-signed-timestamp"])
def test_grafanas_signatures_verify_and_a_changed_byte_does_not(name):
    request = GRAFANA[name]
    timestamp_header = request.hmac.get("timestamp_header")
    way = Hmac((request.hmac["secret"].encode(),), request.hmac["signature_header"], timestamp_header)
    now = datetime.fromtimestamp(int(request.headers[timestamp_header]), UTC) if timestamp_header else NOW
    authenticate([way], request.pairs, request.body, now)
    with pytest.raises(IngestError):
        authenticate([way], request.pairs, request.body.replace(b"94.2", b"94.3", 1), now)
