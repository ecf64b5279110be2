# add_unit_test(SOURCE): builds tests/NAME_test.c and makes it the test NAME,
# run as the source's own "Test:" comment says (see CMakeLists.txt).
function(add_unit_test source)
	get_filename_component(executable ${source} NAME_WE)
	string(REGEX REPLACE "_test$" "" name ${executable})

	add_executable(${executable} ${source})
	target_include_directories(${executable} PRIVATE
		${PROJECT_SOURCE_DIR}/src
		${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/support)
	target_include_directories(${executable} SYSTEM
		PRIVATE ${CMOCKA_INCLUDE_DIR})
	target_compile_definitions(${executable} PRIVATE
		_GNU_SOURCE _FILE_OFFSET_BITS=64)
	target_link_libraries(${executable} PRIVATE
		$<TARGET_NAME_IF_EXISTS:test_support>
		libcubby_static ${CMOCKA_LIBRARY})
	cubby_warnings(${executable})

	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
	set(labels unit)
	set(timeout 60)
	set(serial FALSE)
	set(orders "")
	file(STRINGS ${source} how LIMIT_COUNT 20)
	list(FILTER how INCLUDE REGEX "^/\\* Test: .*\\. \\*/$")
	string(REGEX REPLACE "^/\\* Test: (.*)\\. \\*/$" "\\1" how "${how}")
	string(REPLACE ", " ";" how "${how}")
	foreach(word ${how})
		if(word MATCHES "^(tsan|long)$")
			list(APPEND labels ${word})
		elseif(word STREQUAL "orders")
			set(orders arrival priority)
		elseif(word STREQUAL "serial")
			set(serial TRUE)
		elseif(word MATCHES "^timeout ([0-9]+)$")
			set(timeout ${CMAKE_MATCH_1})
		else()
			message(FATAL_ERROR "${source}: Test: what is \"${word}\"?")
		endif()
	endforeach()
	if("long" IN_LIST labels)
		list(REMOVE_ITEM labels unit)
	endif()

	if(CMAKE_CROSSCOMPILING_EMULATOR)
		math(EXPR timeout "5 * ${timeout}")
	endif()

	# Of its time, one of its tests may take half.
	math(EXPR seconds "${timeout} / 2")
	add_test(NAME ${name} COMMAND ${executable})
	set_tests_properties(${name} PROPERTIES LABELS "${labels}"
		TIMEOUT ${timeout} RUN_SERIAL ${serial} SKIP_RETURN_CODE 77
		ENVIRONMENT CUBBY_TEST_SECONDS=${seconds})
	foreach(order ${orders})
		add_test(NAME ${name}_${order} COMMAND ${executable})
		set_tests_properties(${name}_${order} PROPERTIES
			LABELS "${labels}" TIMEOUT ${timeout}
			RUN_SERIAL ${serial} SKIP_RETURN_CODE 77
			ENVIRONMENT "CUBBY_TEST_ORDER=${order};CUBBY_TEST_SECONDS=${seconds}")
	endforeach()
endfunction()
