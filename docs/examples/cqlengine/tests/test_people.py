from models import Person


def test_a_person_is_found():
    Person.create(id=1, name="Ann", tags={"a", "b"})
    assert Person.get(id=1).name == "Ann"


def test_nobody_is_there_in_the_next_test():
    assert Person.objects.count() == 0
