# For a machine of Debian's i686 (there: gcc-i686-linux-gnu).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(CUBBY_TRIPLET i686-linux-gnu)
include(${CMAKE_CURRENT_LIST_DIR}/common.cmake)
