"""The failure detector: regular voices, silence, pauses."""

from cluster.gossip.failure_detector import PAUSE_S_MAX, PHI_CONVICT_THRESHOLD, FailureDetector


def regular(seconds: int) -> FailureDetector[str]:
    detector: FailureDetector[str] = FailureDetector()
    for second in range(seconds):
        detector.report("a", float(second))
        assert detector.convicted(float(second)) == []
    return detector


def test_phi_grows_with_silence() -> None:
    detector = regular(100)
    quiet = [detector.phi("a", 99.0 + silence) for silence in (1, 5, 20)]
    assert quiet == sorted(quiet)
    assert quiet[0] < 1 < PHI_CONVICT_THRESHOLD < quiet[2]


def test_a_node_that_is_silent_for_twenty_seconds_is_convicted() -> None:
    detector = regular(100)
    convicted = [second for second in range(100, 130) if detector.convicted(float(second)) == ["a"]]
    assert convicted == list(range(118, 130))


def test_nothing_is_known_of_a_stranger() -> None:
    assert FailureDetector[str]().phi("b", 10.0) == 0.0


def test_long_intervals_are_no_samples() -> None:
    detector = regular(100)
    before = detector.phi("a", 100.0)
    detector.report("a", 160.0)
    assert detector.phi("a", 161.0) == before


def test_who_did_not_run_judges_nobody() -> None:
    detector = regular(100)
    late = 100.0 + 30
    assert detector.convicted(late) == []
    assert detector.convicted(late + PAUSE_S_MAX - 1) == []
    assert detector.convicted(late + PAUSE_S_MAX) == ["a"]


def test_the_forgotten_are_not_convicted() -> None:
    detector = regular(10)
    detector.forget("a")
    assert detector.convicted(12.0) == []
