# Compiler flags: gradus_flags for all code, GRADUS_KERNEL_FLAGS and GRADUS_FLAGS_<isa> for kernels.
# -ffast-math is never used; contraction is off, so that a number does not depend on the compiler's mood.

add_library(gradus_flags INTERFACE)
target_include_directories(gradus_flags INTERFACE "${PROJECT_SOURCE_DIR}/include")
target_compile_definitions(gradus_flags INTERFACE _GNU_SOURCE)
target_compile_options(gradus_flags INTERFACE
    -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wconversion -Wno-sign-conversion -Werror
    -ffp-contract=off -ffunction-sections -fdata-sections)

if(GRADUS_SANITIZE)
    string(REPLACE ";" "," sanitizers "${GRADUS_SANITIZE}")
    add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${sanitizers})
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # sanitized code leads this warning astray
        target_compile_options(gradus_flags INTERFACE -Wno-maybe-uninitialized)
    endif()
endif()

set(GRADUS_KERNEL_FLAGS -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off)
if(GRADUS_SANITIZE)
    set(GRADUS_KERNEL_FLAGS -O1 -fno-math-errno -fno-trapping-math -ffp-contract=off)
endif()
set(GRADUS_FLAGS_generic "")
set(GRADUS_FLAGS_exact "")
set(GRADUS_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(GRADUS_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vnni -mavx512bf16 -mfma -mf16c
    -mprefer-vector-width=512)
if(GRADUS_SOFTWARE_TILES)
    set(GRADUS_FLAGS_amx ${GRADUS_FLAGS_avx512})
    target_compile_definitions(gradus_flags INTERFACE GR__SOFTWARE_AMX=1)
else()
    set(GRADUS_FLAGS_amx ${GRADUS_FLAGS_avx512} -mamx-tile -mamx-bf16)
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    set(GRADUS_X86 TRUE)
    set(GRADUS_ISAS generic exact avx2 avx512)
    target_compile_definitions(gradus_flags INTERFACE GR__HAVE_X86=1)
else()
    set(GRADUS_X86 FALSE)
    set(GRADUS_ISAS generic exact)
    target_compile_definitions(gradus_flags INTERFACE GR__HAVE_X86=0)
endif()
