# For the machine's own processor, with musl as the C library (Debian's musl-tools).
#
# musl brings no headers of the kernel: those of the machine stand in, behind its own.
# They are the same for every C library.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_HOST_SYSTEM_PROCESSOR})
set(CMAKE_C_COMPILER musl-gcc)
set(CMAKE_FIND_ROOT_PATH /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-musl)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(kernel ${CMAKE_BINARY_DIR}/kernel-headers)
foreach(headers linux asm-generic)
	file(MAKE_DIRECTORY ${kernel})
	file(CREATE_LINK /usr/include/${headers} ${kernel}/${headers} SYMBOLIC)
endforeach()
file(CREATE_LINK /usr/include/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/asm
	${kernel}/asm SYMBOLIC)
set(CMAKE_C_FLAGS_INIT "-idirafter ${kernel}")
