"""The outside world: clock, randomness, workers, disk (`environment`); its disks; turns with the loop (`strands`)."""
