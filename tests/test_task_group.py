"""One exception of a TaskGroup, as itself."""

import asyncio

import pytest

from graphrelay.task_group import unwrapped


async def failing(error: Exception) -> None:
    raise error


async def run(*errors: Exception) -> None:
    with unwrapped():
        async with asyncio.TaskGroup() as tasks:
            for error in errors:
                tasks.create_task(failing(error))


async def test_a_single_exception_is_raised_as_itself() -> None:
    with pytest.raises(KeyError):
        await run(KeyError())


async def test_several_are_raised_together() -> None:
    with pytest.raises(ExceptionGroup):
        await run(KeyError(), ValueError())
