# cubby_warnings(TARGET...): the warnings that all of cubby is built with.
include(CheckCCompilerFlag)

set(cubby_warning_flags -Wall -Wextra)
foreach(warning
	shadow strict-prototypes missing-prototypes old-style-definition
	missing-declarations redundant-decls pointer-arith vla undef
	write-strings format=2 implicit-fallthrough logical-op duplicated-cond
)
	string(MAKE_C_IDENTIFIER CUBBY_HAS_W_${warning} has)
	check_c_compiler_flag(-W${warning} ${has})
	if(${has})
		list(APPEND cubby_warning_flags -W${warning})
	endif()
endforeach()

# Says that ThreadSanitizer does not model fences, which is known here: what
# is run under it does not rest on them.
if(CUBBY_SANITIZE MATCHES thread)
	check_c_compiler_flag(-Wtsan CUBBY_HAS_W_tsan)
	if(CUBBY_HAS_W_tsan)
		list(APPEND cubby_warning_flags -Wno-tsan)
	endif()
endif()

function(cubby_warnings)
	foreach(target ${ARGV})
		target_compile_options(${target} PRIVATE
			${cubby_warning_flags}
			$<$<BOOL:${CUBBY_WERROR}>:-Werror>
		)
	endforeach()
endfunction()
