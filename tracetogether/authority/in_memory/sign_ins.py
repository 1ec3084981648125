"""Passwords and sessions in dictionaries, for tests and trials."""

from dataclasses import dataclass, field, replace

from tracetogether.authority.access.sign_in import KeptPassword, Session


@dataclass
class MemorySignIns:
    """A ``sign_in.SignInStore`` that lives as long as the process, for one thread."""

    _passwords: dict[str, KeptPassword] = field(default_factory=dict)
    _sessions: dict[bytes, Session] = field(default_factory=dict)

    def put_password(self, kept: KeptPassword) -> None:
        """Write down a password in place of the operator's earlier one."""
        self._passwords[kept.name] = kept

    def password(self, name: str) -> KeptPassword | None:
        """Return what is kept of an operator's password."""
        return self._passwords.get(name)

    def enrol(self, name: str, sealed_secret: bytes, step: int) -> bool:
        """Keep the secret of an operator's codes; False if there is one already."""
        kept = self._passwords.get(name)
        if kept is None or kept.sealed_secret:
            return False
        self._passwords[name] = replace(kept, sealed_secret=sealed_secret, last_step=step)
        return True

    def use_step(self, name: str, step: int) -> bool:
        """Note that the code of a time step was used; False if it, or a later one, was before."""
        kept = self._passwords.get(name)
        if kept is None or kept.last_step >= step:
            return False
        self._passwords[name] = replace(kept, last_step=step)
        return True

    def newest_step(self) -> int:
        """Return the newest time step whose code an operator gave; 0 if none did."""
        return max((kept.last_step for kept in self._passwords.values()), default=0)

    def add_session(self, session: Session) -> None:
        """Write down a session."""
        self._sessions[session.digest] = session

    def session(self, digest: bytes) -> Session | None:
        """Return a session."""
        return self._sessions.get(digest)

    def see_session(self, digest: bytes, now: float) -> None:
        """Note that somebody was here."""
        if digest in self._sessions:
            self._sessions[digest] = replace(self._sessions[digest], seen_at=now)

    def end_session(self, digest: bytes) -> None:
        """Forget a session."""
        self._sessions.pop(digest, None)

    def end_sessions(self, name: str) -> int:
        """Forget all sessions of an operator; return how many went."""
        return self._keep([one for one in self._sessions.values() if one.name != name])

    def drop_sessions(self, begun_before: float, seen_before: float) -> int:
        """Forget sessions begun, or seen last, before those times; return how many went."""
        return self._keep(
            [
                one
                for one in self._sessions.values()
                if one.begun_at >= begun_before and one.seen_at >= seen_before
            ]
        )

    def _keep(self, kept: list[Session]) -> int:
        gone = len(self._sessions) - len(kept)
        self._sessions = {one.digest: one for one in kept}
        return gone
