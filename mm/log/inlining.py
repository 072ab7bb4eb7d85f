"""How functions are marked to be compiled, and how those are that only compiled code calls.

numba optimises each function together with all that it calls, makes machine code of it, and does so
again for each caller, up to the one that Python calls: that was half of a first compile. Here what
only compiled code calls is handed on as it was lowered, and becomes machine code with whatever
Python calls. This reaches into numba, of the one version that was tried: with another one,
functions are compiled as numba does it, and take longer.
"""

# numba has no types of its own.
# mypy: allow-untyped-calls

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import numba
from llvmlite import binding
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, CompilerBase, DefaultPassBuilder, compile_result
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering
from numba.extending import register_jitable

import mm.log.compilation  # noqa: F401 - it says where compiled code is kept.

Function = TypeVar("Function")
TRIED: Final = (0, 68)
"""The version of numba that this is written for."""


class Linkable(JITCodeLibrary):
    """What was lowered of a function, and of all that it calls, for those that link it."""

    def finalize(self) -> None:
        """Put it together; nothing is optimised, and no machine code made."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    @classmethod
    def of(cls, codegen: Any, name: str, bitcode: bytes) -> Any:
        """From what was kept."""
        made = cls(codegen, name)
        made._final_module = binding.parse_bitcode(bitcode)
        made._finalized = True
        return made


class StandIn(dict[object, object]):
    """What stands for a function that Python cannot call: numba asks for a built-in function.

    That is `__getitem__`, which numba calls with all arguments in one tuple.
    """

    def __init__(self, name: str) -> None:
        """Stand for the function of that name."""
        super().__init__()
        self._name = name

    def __missing__(self, arguments: object) -> object:
        """Refuse."""
        raise TypeError(f"{self._name} is called by compiled code only, not with {arguments}")


@register_pass(mutates_CFG=True, analysis_only=False)
class LinkableLowering(NativeLowering):
    """Lower a function into what others link."""

    _name = "mm_linkable_lowering"

    def run_pass(self, state: Any) -> bool:
        """Lower it; callers find it by what stands for it."""
        context = state.targetctx
        state.library = Linkable(context.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state["cr"]
        entry = StandIn(lowered.fndesc.qualname).__getitem__
        context.insert_user_function(entry, lowered.fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = lowered._replace(cfunc=entry)
        return True


class Inlining(CompilerBase):
    """numba's own passes, up to lowering."""

    def define_pipelines(self) -> list[Any]:
        """The one way to compile: there is no other to fall back upon."""
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        place = [each for each, _ in passes.passes].index(NativeLowering)
        passes.passes[place] = LinkableLowering, "lower into what others link"
        passes.finalize()
        return [passes]


class Keeping(CompileResultCacheImpl):
    """How what others link goes to disk, and comes back."""

    def reduce(self, cres: Any) -> Any:
        """What is written."""
        fndesc, library = cres.fndesc, cres.library
        fndesc.typemap = fndesc.calltypes = None  # As numba does: they may not be written.
        bitcode = library._final_module.as_bitcode()
        return library.name, bitcode, fndesc, cres.environment, cres.signature, cres.reload_init

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """What was compiled, from what was written."""
        name, bitcode, fndesc, environment, signature, reload_init = payload
        for load in reload_init:
            load()
        return compile_result(
            typing_context=target_context.typing_context,
            target_context=target_context,
            entry_point=StandIn(fndesc.qualname).__getitem__,
            typing_error=None,
            type_annotation=None,
            signature=signature,
            objectmode=False,
            lifted=(),
            fndesc=fndesc,
            library=Linkable.of(target_context.codegen(), name, bitcode),
            environment=environment,
            reload_init=reload_init,
        )


class Kept(FunctionCache):
    """Where it is kept."""

    _impl_class = Keeping


if TYPE_CHECKING:
    from collections.abc import Callable

    def njit(**_options: Any) -> Callable[[Function], Function]:
        """Typed stand-in: numba's decorator has no types of its own."""
        ...

    def inner(function: Function) -> Function:
        """Typed stand-in: what only compiled code calls."""
        ...

    def jitable(function: Function) -> Function:
        """Typed stand-in for a function that Python calls, and compiled code too."""
        ...
else:
    from numba import njit

    HOW = Inlining if numba.version_info.short == TRIED else Compiler
    # What Python calls is kept on disk with all that it calls, and needs no way in from Python.
    inner = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=HOW)
    jitable = register_jitable(pipeline_class=HOW)


def part(function: Function) -> Function:
    """`inner`, and kept on disk by itself for those that are compiled at another time."""
    made: Any = inner(function)
    if made._compiler.pipeline_class is Inlining:
        made._cache = Kept(function)
    else:
        made.enable_caching()
    return cast("Function", made)
