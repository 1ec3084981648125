"""Numbers with their source; every default of the library stands here once."""

from dataclasses import dataclass
from typing import Final

from tracetogether.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class BlueTraceParameters:
    """How TempIDs are handed out (OpenTrace's example configuration, 2020-05)."""

    validity_s: int = 900  # validityPeriod 0.25 h
    batch_size: int = 100  # batchSize: 25 h of TempIDs
    early_start_s: int = 60  # the first window starts a minute before now
    refresh_after_s: int = 43_200  # refreshInterval 12 h


@dataclass(frozen=True, slots=True)
class PhoneTimings:
    """When a phone scans, advertises and gives up (OpenTrace Android README, 2020-05)."""

    scan_s: float = 8.0
    scan_pause_min_s: float = 36.0
    scan_pause_max_s: float = 43.0
    advertise_s: float = 180.0
    advertise_gap_s: float = 5.0
    queue_max_s: float = 7.0  # MAX_QUEUE_TIME: a peer waiting longer for its turn is dropped
    connection_timeout_s: float = 6.0
    blacklist_s: float = 100.0  # no second connection to a peer for this long
    refresh_check_s: float = 540.0  # BM_CHECK_INTERVAL
    purge_every_s: float = 86_400.0
    later_scan_s: float = 60.0  # a peer's later scans are recorded at most so often, if at all
    change_s: float = 10.0  # shows nothing for up to so long before and after a change of token


@dataclass(frozen=True, slots=True)
class Retention:
    """How long anything is kept."""

    log_s: int = 21 * SECONDS_PER_DAY  # PURGE_TTL 1 814 400 000 ms: the phone's rolling log
    day_keys_days: int = 25  # after this nobody can open a day's TempIDs
    uploads_s: int = 21 * SECONDS_PER_DAY
    traced_days: int = 14  # a case's contacts go back this far
    withdrawals_s: int = 90 * SECONDS_PER_DAY  # digests of ids, for backups up to that old


@dataclass(frozen=True, slots=True)
class CloseContactPolicy:
    """When an encounter counts as a close contact. Policy is data.

    Attributes:
        name: what it is called.
        within_m: the radius within which minutes count.
        minutes: how many make a close contact, in 24 hours.
        rule: name of a rule of ``proximity.attenuation.RULES`` that counts minutes by attenuation
            in place of the radius, which then only says what its authors meant.
        least_chance: a contact is close if P(at least ``minutes``) is at least this. With 0.3
            three to four calls find one contact; one half is the same as: the median reaches
            ``minutes``. ``contacts.costs`` says how to choose it.
    """

    name: str
    within_m: float
    minutes: float
    rule: str | None = None
    least_chance: float = 0.3

    @property
    def basis(self) -> str:
        """What its minutes are measured by; policies of one basis share one measurement."""
        return self.rule or f"within-{self.within_m:g}m"

    @property
    def near(self) -> str:
        """What counts as near, in English."""
        return f"by the rule {self.rule}" if self.rule else f"within {self.within_m:g} m"


@dataclass(frozen=True, slots=True)
class FollowUpParameters:
    """How contacts are followed up (WHO, Contact tracing in the context of COVID-19, 2020-05)."""

    days: int = 14  # the incubation period, counted from the last encounter
    lost_after_days: int = 3  # days in a row on which nobody was reached
    several_days: int = 3  # days of meeting, from which on a contact is called first
    very_near_m: float = 1.0  # WHO's definition of a contact: within 1 m for 15 minutes
    prompt_s: int = SECONDS_PER_DAY  # "traced within a day", "started within 24 hours"


FOLLOW_UP: Final = FollowUpParameters()

SINGAPORE_POLICY: Final = CloseContactPolicy("singapore-2m-30min", 2.0, 30.0)
"""Ministry of Health, Singapore, 2020: within 2 m for 30 minutes or more."""

DEMO_POLICY: Final = CloseContactPolicy("2m-15min", 2.0, 15.0)
"""Within 2 m for 15 minutes: WHO's and ECDC's definition of 2020; used where half an hour
is all there is."""

NEAR_POLICY: Final = CloseContactPolicy("1.5m-15min", 1.5, 15.0)
"""Within 1.5 m for 15 minutes: Germany's and Switzerland's definition of 2020."""

# Minutes by attenuation; the radius is what the rules' authors meant by it. 15 minutes, as Leith
# and Farrell apply the first three (2020, doi 10.1371/journal.pone.0239943).
SWISSCOVID_POLICY: Final = CloseContactPolicy("swisscovid", 1.5, 15.0, "bucket-swisscovid")
"""SwissCovid: 15 weighted minutes; whole below 53 dB, half below 60 dB."""

CWA_POLICY: Final = CloseContactPolicy("cwa", 2.0, 15.0, "bucket-cwa")
"""Corona-Warn-App, June 2020: 15 weighted minutes; whole below 55 dB, half below 63 dB."""

IMMUNI_POLICY: Final = CloseContactPolicy("immuni", 2.0, 15.0, "bucket-immuni")
"""Immuni: 15 minutes below 73 dB."""

LFPH_POLICY: Final = CloseContactPolicy("lfph", 2.0, 15.0, "bucket-lfph")
"""Linux Foundation Public Health's narrow net: 15 minutes, weighted by four buckets."""


@dataclass(frozen=True, slots=True)
class RestrictionRules:
    """What bounds restrictions: how long, how many, and who waits for whom. Policy is data.

    Attributes:
        longest_s: the longest time from the beginning of a restriction to its end.
        begins_within_s: a restriction begins at most this long after it is set.
        confirmed_within_s: a restriction that nobody has confirmed by then lapses.
        a_day: the most restrictions that one person sets on a day of the authority's zone.
        without_evidence_alert: an alert comes with this many without evidence on one day.
        appeal_s: an appeal that is undecided for longer suspends its restriction.
        appeal_again_s: how long after a decision the same restriction can be appealed again.
        order_people: the most people that any order can name as its bound.
        order_longest_s: the longest time from the registration of an order to its end.
        kept_s: how long a restriction is kept after its end, with its appeals, and an order.
        small: public numbers of people are cut to a multiple of this; those below it are not shown.
    """

    longest_s: int = 14 * SECONDS_PER_DAY
    begins_within_s: int = 7 * SECONDS_PER_DAY
    confirmed_within_s: int = SECONDS_PER_DAY
    a_day: int = 20
    without_evidence_alert: int = 5
    appeal_s: int = 48 * SECONDS_PER_HOUR
    appeal_again_s: int = SECONDS_PER_DAY
    order_people: int = 500
    order_longest_s: int = 60 * SECONDS_PER_DAY
    kept_s: int = 21 * SECONDS_PER_DAY
    small: int = 10


@dataclass(frozen=True, slots=True)
class VisitReportRules:
    """What the authority believes of the visits and trips that a case reports, and when it warns.

    Attributes:
        reaches_back_s: older visits and trips are refused: nobody is warned of them any more.
        a_day: the most visits, and the most trips, of one case that begin on one UTC day.
        longest_s: the longest visit.
        ahead_s: a visit may end this long after it is reported: clocks differ.
        outside_window_s: people come before a poster's window begins, and leave after its end.
        together_s: two cases vouch for a place if their visits lie at most so far apart.
        most_sent: the most visits, and the most trips, in one message.
        kept_s: how long packages and lists of trips are public.
        least_aboard: a trip is published if at least this number of people were aboard.
        most_aboard: a larger number of people aboard is a typing mistake.
    """

    reaches_back_s: int = 14 * SECONDS_PER_DAY
    a_day: int = 20
    longest_s: int = SECONDS_PER_DAY
    ahead_s: int = 300
    outside_window_s: int = 30 * SECONDS_PER_MINUTE
    together_s: int = SECONDS_PER_DAY
    most_sent: int = 300
    kept_s: int = 14 * SECONDS_PER_DAY
    least_aboard: int = 20
    most_aboard: int = 10_000


@dataclass(frozen=True, slots=True)
class TransmissionParameters:
    """How an infection goes, to rank who may have infected whom.

    Attributes:
        incubation_log_mean, incubation_log_sd: log-normal, days from infection to symptoms (Lauer
            et al. 2020: median 5.1 days).
        infectious_shape, infectious_rate, infectious_shift: when a person infects others, in days
            after the first symptoms: a gamma distribution less the shift (doi
            10.1038/s41591-020-0869-5, as corrected by Ashcroft et al. 2020).
        date_sd_days: how far a case's date lies from the first symptoms.
        unrecorded_minutes: a source in no log weighs as much as this many minutes nearby.
    """

    incubation_log_mean: float = 1.621
    incubation_log_sd: float = 0.418
    infectious_shape: float = 97.1875
    infectious_rate: float = 3.7185
    infectious_shift: float = 25.625
    date_sd_days: float = 2.0
    unrecorded_minutes: float = 15.0


@dataclass(frozen=True, slots=True)
class PassParameters:
    """How passes are issued and checked; all are this project's choices.

    Attributes:
        hours: a batch covers this hour and the next ones, this many in all.
        an_hour: passes of each hour, so that two gates in one hour see different ones.
        valid_s: for how long a pass is valid; it begins on the hour.
        refresh_after_s: a phone fetches the next batch after this time.
        paper_s: for how long a paper is valid.
        list_valid_s: a gate uses a list of revoked passes for this long.
        clock_skew_s: how far a gate's clock may be wrong.
        list_every_s: the trust list is computed at most so often.
        revoked_every_s: at the full multiples of this time comes the next edition of the list of
            revoked passes.
        declared_s: how long a declaration is kept.
    """

    hours: int = 24
    an_hour: int = 2
    valid_s: int = SECONDS_PER_HOUR
    refresh_after_s: int = 12 * SECONDS_PER_HOUR
    paper_s: int = 7 * SECONDS_PER_DAY
    list_valid_s: int = SECONDS_PER_DAY
    clock_skew_s: int = 120
    list_every_s: int = 60
    revoked_every_s: int = 15 * SECONDS_PER_MINUTE
    declared_s: int = 21 * SECONDS_PER_DAY


PASSES: Final = PassParameters()


@dataclass(frozen=True, slots=True)
class VisitParameters:
    """How visits are noted, warned of and compared; those of the Corona-Warn-App say so.

    Attributes:
        kept_s: how long a phone keeps a visit after its end.
        default_s: after how long a visit ends where the poster names no time (our choice).
        longest_s: the longest visit, and the longest time that a poster may name.
        interval_s: warnings name times in whole intervals (Corona-Warn-App).
        least_s: a shorter stay of a case is not warned of (Corona-Warn-App), and a guest who
            overlaps with a warning for less is not warned.
        air_s: how long the air stays infectious at most after a case has left: as long as the
            stay, but no longer than this (Corona-Warn-App).
        published_days: warnings are downloadable for this many days.
        bundle_hours: one download has the warnings of this many hours, so that a phone that checks
            once a day, not always at the same time, needs one.
        text_characters: the longest name or address on a poster (Corona-Warn-App).
        seed_bytes: random bytes of a poster, so that nobody can guess its place (Corona-Warn-App).
        least_aboard: a case's trip is published if at least this many people were aboard.
        whole_day_bytes: a day of trips that takes more is divided by prefixes.
    """

    kept_s: int = 21 * SECONDS_PER_DAY
    default_s: int = 2 * SECONDS_PER_HOUR
    longest_s: int = SECONDS_PER_DAY
    interval_s: int = 10 * SECONDS_PER_MINUTE
    least_s: int = 10 * SECONDS_PER_MINUTE
    air_s: int = 30 * SECONDS_PER_MINUTE
    published_days: int = 14
    bundle_hours: int = 36
    text_characters: int = 100
    seed_bytes: int = 16
    least_aboard: int = 20
    whole_day_bytes: int = 5_000_000


VISITS: Final = VisitParameters()

BLUETRACE: Final = BlueTraceParameters()
TRANSMISSION: Final = TransmissionParameters()
TIMINGS: Final = PhoneTimings()
RETENTION: Final = Retention()
RESTRICTIONS: Final = RestrictionRules()
VISIT_REPORTS: Final = VisitReportRules()


@dataclass(frozen=True, slots=True)
class OpenDataRules:
    """How figures for everybody are made safe; all are this project's choices.

    The noise of a figure has the scale by which one person can change it. So each cell is
    differentially private with epsilon 1: one person more makes no outcome more likely than by
    the factor e.

    Attributes:
        contacts_of_a_case: the most contacts of one case that are counted on a day.
        small: figures below it are left blank, after the noise.
        after_days: a day is published this many days later: its calls of 24 hours are over then.
        kept_days: a day can be counted for this long; rows are deleted afterwards.
    """

    contacts_of_a_case: int = 9
    small: int = 10
    after_days: int = 2
    kept_days: int = 20


OPEN_DATA: Final = OpenDataRules()
OPEN_FIGURE_BITS: Final = 0.62  # log2(2 e / (1 + e)) = 0.55, and what 2,000 bets differ by
OPEN_TOTAL_BITS: Final = 0.82  # log2(2 e² / (1 + e²)): a total and one of its parts, epsilon 2
CHANCE_BITS: Final = 0.03  # of a link that must not beat a guess: an advantage of 0.01 is 0.029
SEALED_VISIT_BITS: Final = 12.0  # to who has seen the poster: 14 days in steps of 10 minutes, 11
TRIP_CHECK_BITS: Final = 8.0  # to who watches a check of a trip: one of 256 parts of a day
STAY_BITS: Final = 2.0  # to the authority, of a case in an hour: at which of four places it was

UPLOAD_PIN_DIGITS: Final = 8
UPLOAD_PIN_LIFETIME_S: Final = 24 * SECONDS_PER_HOUR  # goes by SMS or letter
UPLOAD_PIN_SHORT_LIFETIME_S: Final = 15 * SECONDS_PER_MINUTE  # is read out on the telephone
UPLOAD_PIN_TRIES: Final = 5
UPLOAD_TOKEN_LIFETIME_S: Final = 2 * SECONDS_PER_HOUR  # as OpenTrace's upload tokens
UPLOAD_CLOCK_AHEAD_S: Final = 300  # a record may lie this far after its upload: clocks differ
MAX_RECORDS_A_SECOND: Final = 2  # of one person: an exchange leaves one record in each direction
MAX_PEOPLE_A_MINUTE: Final = 200  # a phone has one connection at a time and seconds for each
MAX_UPLOAD_BYTES: Final = 16_000_000
MAX_UPLOAD_RECORDS: Final = 100_000
UPLOAD_BUCKETS: Final[tuple[int, ...]] = (  # 16 KiB, doubling
    *(1 << power for power in range(14, 24)),
    MAX_UPLOAD_BYTES,
)

CLOCK_ERROR_S: Final = 60  # a phone's clock may differ by this: the first window starts early
TEMPIDS_OF_A_DAY_KEY: Final = 2**32  # NIST SP 800-38D, 8.3: random IVs under one AES-GCM key
BATCHES_AN_HOUR: Final = 60  # of one user; a phone needs two a day
PASS_BATCHES_AN_HOUR: Final = 60  # of one user; a phone needs two a day
STATUS_ASKED_AN_HOUR: Final = 60  # of one user
DECLARATIONS_AN_HOUR: Final = 20  # of one user
REGISTRATIONS_AN_HOUR: Final = 2_000  # from one address or IPv6 /64; many phones may share one
REGISTRATIONS_OF_ALL_AN_HOUR: Final = 250_000  # a city of 5.6 million registers within a day
CHARGES_OF_A_PHONE: Final = 6  # people without a phone for whom one phone keeps passes
CHARGE_CODE_LIFETIME_S: Final = 3 * SECONDS_PER_DAY  # from the desk to a relative
GIVEN_A_DAY: Final = 100  # papers and charge codes by one operator: a desk has 100 visitors a day
SEARCHES_AN_HOUR: Final = 60  # for people, by one operator
CHARGE_TRIES_AN_HOUR: Final = 10  # of one phone; a code has 50 bits
PIN_TRIES_AN_HOUR: Final = 200  # of one user, over all PINs
UPLOAD_ANSWER_STEP_S: Final = 0.25  # an upload is answered at a multiple of it; most at the first
RECORDS_A_BATCH: Final = 5_000  # at most, of those that are handed to a partner
RECORDS_STEP_S: Final = 10  # times are rounded to it: a partner can't tell one log by its seconds
RECORDS_ANSWER_STEP: Final = 5  # answers are counts, cut to a multiple of it
BATCHES_OF_PARTNER_A_DAY: Final = 200  # taken from one partner: a million records
REFUSED_RECORDS_AN_HOUR: Final = 60  # from one address, of strangers: then they are not read
BATCHES_KNOWN_S: Final = (
    25 * 86_400
)  # the digest of a batch is kept so long: TempIDs open no longer
UPLOADS_AN_HOUR: Final = 20  # of one user, begun, pretended ones too: one, and tries after faults
PIN_ALERT_A_MINUTE: Final = 60  # refused PINs of all users together: somebody is guessing
PIN_SLOWED_A_MINUTE: Final = 20  # refused PINs from one address or IPv6 /64: it is slowed down
PIN_SLOWED_S: Final = 2.0  # so long every answer to a PIN waits that goes to such an address
UPLOAD_PINS_A_DAY: Final = 10_000  # given out; ten times the cases of a city's bad day
PINS_GUESSED_A_DAY: Final = 1e-3  # at most, expected, if every try at every PIN is a stranger's
UPLOADS_OF_A_TEMPID: Final = 50  # a quarter of an hour of one person in more logs is an alert
SIGN_INS_A_QUARTER_HOUR: Final = 10  # wrong tries for one operator's name
SIGN_INS_FROM_ONE_ADDRESS: Final = 60  # wrong ones in the same time; an office may share one
PASSWORD_CHARACTERS: Final = 12  # at least; beside it a code is always asked
SESSION_IDLE_S: Final = 20 * SECONDS_PER_MINUTE
SESSION_LONGEST_S: Final = 10 * SECONDS_PER_HOUR  # a shift
SCREEN_IDLE_S: Final = 7 * SECONDS_PER_DAY  # a screen that was off for longer needs a new code
SCREEN_LONGEST_S: Final = 90 * SECONDS_PER_DAY
SCREEN_CODE_S: Final = 15 * SECONDS_PER_MINUTE  # from `authority wall add` to the screen
BULLETIN_LONGEST_S: Final = 7 * SECONDS_PER_DAY
BULLETIN_CHARACTERS: Final = 200
CLOCK_JUMP_S: Final = 3 * SECONDS_PER_DAY  # longer between two purges: is the clock right?
CODE_STEP_S: Final = 30  # RFC 6238: an operator's app shows another code every 30 s
EARLIEST_S: Final = 1_577_836_800  # 2020-01-01: no clock that shows an earlier time is right
PURGE_OVERDUE_S: Final = 2 * SECONDS_PER_HOUR  # a purge is due every hour
