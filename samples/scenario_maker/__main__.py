"""`python -m samples.scenario_maker [FOLDER]` writes FOLDER/scenario and FOLDER/scenario_truth.json."""

from __future__ import annotations

import sys
from pathlib import Path

from samples.scenario_maker import alike, context_files, embedded, geo_files, routine
from samples.scenario_maker.calendar_plan import Workday, plan
from samples.scenario_maker.people import staff
from samples.scenario_maker.places import Homes
from samples.scenario_maker.world import World


def make(folder: Path) -> None:
    """Write the whole scenario below `folder`."""
    homes = Homes()
    people = staff(homes)
    by_user = {person.user: person for person in people}
    networks = homes.all_networks()
    world = World(networks)
    days = plan(people)
    by_person: dict[str, list[Workday]] = {person.user: [] for person in people}
    for day in days:
        by_person[day.person.user].append(day)
        routine.live(world, day)
    routine.servers(world)
    alike.all_of_them(world, by_user, by_person)
    embedded.all_of_them(world, by_user, by_person)
    scenario = folder / "scenario"
    context_files.write(scenario, people)
    context_files.write_truth(folder / "scenario_truth.json", by_user)
    geo_files.write(scenario, networks)
    world.write(scenario)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1])
