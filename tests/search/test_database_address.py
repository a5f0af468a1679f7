"""What TUNER_STORAGE_URL may be, and that it is never shown whole."""

from __future__ import annotations

import pytest

from tuner.errors import ServiceError, UsageError
from tuner.search import database, storage


@pytest.mark.parametrize(
    "address", ["mysql://me:hush@here/studies", "nonsense hush", "postgresql://me:hush@here", "sqlite:///hush.db"]
)
def test_an_address_of_another_kind_is_refused_without_its_password(monkeypatch, address):
    monkeypatch.setenv("TUNER_STORAGE_URL", address)
    with pytest.raises(UsageError, match="must be postgresql://") as caught:
        storage.names()
    assert ":hush" not in str(caught.value)


def test_an_address_is_shown_without_user_password_and_options(monkeypatch):
    monkeypatch.setenv("TUNER_STORAGE_URL", "postgresql+psycopg://me:hush@db.example:5433/studies?passfile=/hush")
    assert database.shown() == "postgresql://db.example:5433/studies"


def test_a_server_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("TUNER_STORAGE_URL", "postgresql://me:hush@127.0.0.1:1/studies")
    with pytest.raises(ServiceError, match=r"storage at postgresql://127\.0\.0\.1:1/studies is out of reach") as caught:
        storage.names()
    assert "hush" not in str(caught.value)
