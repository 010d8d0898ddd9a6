/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VX6_DATAPLANE_BASE_COMPILER_H
#define VX6_DATAPLANE_BASE_COMPILER_H

/* The only file that names a compiler attribute.  Everything else uses
 * these words, so a change of compiler is a change of one file. */

#define vx6_likely(x)         __builtin_expect(!!(x), 1)
#define vx6_unlikely(x)       __builtin_expect(!!(x), 0)
#define vx6_prefetch(p)       __builtin_prefetch((p), 0, 3)
#define vx6_prefetch_w(p)     __builtin_prefetch((p), 1, 3)
#define VX6_MUST_CHECK        __attribute__((warn_unused_result))
#define VX6_NONNULL           __attribute__((nonnull))
#define VX6_NONNULL_ARGS(...) __attribute__((nonnull(__VA_ARGS__)))
#define VX6_COLD              __attribute__((cold, noinline))
#define VX6_CACHELINE         64
#define VX6_ALIGNED(n)        __attribute__((aligned(n)))
#define VX6_EXPORTED          __attribute__((visibility("default")))
#define VX6_NORETURN          __attribute__((noreturn))
#define VX6_UNUSED            __attribute__((unused))
#define VX6_PRINTF(f, a)      __attribute__((format(printf, f, a)))
#define VX6_TARGET(isa)       __attribute__((target(isa)))
#define VX6_INLINE            inline __attribute__((always_inline))
#define VX6_UNROLL            _Pragma("GCC unroll 16")

#define VX6_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#endif
