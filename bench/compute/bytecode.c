/* bytecode - an interpreter with a switch: indirect jumps, unpredictable only to the translator
 *
 * The program it interprets counts primes below n by trial division.
 *
 * Usage: bytecode [n=400000]
 * Output: "bytecode count".  Exit status 1 on a bad argument.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { PUSH, LOAD, STORE, ADD, MUL, MOD, LESS, JZ, JMP, HALT };

static long run(const int32_t *code, long *locals)
{
    long stack[16], *sp = stack;
    for (const int32_t *pc = code;;) {
        switch (*pc++) {
        case PUSH: *sp++ = *pc++; break;
        case LOAD: *sp++ = locals[*pc++]; break;
        case STORE: locals[*pc++] = *--sp; break;
        case ADD: sp--; sp[-1] += sp[0]; break;
        case MUL: sp--; sp[-1] *= sp[0]; break;
        case MOD: sp--; sp[-1] %= sp[0]; break;
        case LESS: sp--; sp[-1] = sp[-1] < sp[0]; break;
        case JZ: if (*--sp == 0) pc = code + *pc; else pc++; break;
        case JMP: pc = code + *pc; break;
        case HALT: return locals[2];
        }
    }
}

int main(int argc, char **argv)
{
    /* locals: 0 limit, 1 candidate, 2 count, 3 divisor */
    static int32_t code[128];
    int n = 0;
#define EMIT(...) do { const int32_t part[] = { __VA_ARGS__ }; \
        for (size_t i = 0; i < sizeof part / sizeof *part; i++) code[n++] = part[i]; } while (0)
    EMIT(PUSH, 2, STORE, 1);
    int outer = n;
    EMIT(LOAD, 1, LOAD, 0, LESS, JZ, 0);
    int to_halt = n - 1;
    EMIT(PUSH, 2, STORE, 3);
    int inner = n;
    EMIT(LOAD, 1, LOAD, 3, LOAD, 3, MUL, LESS, JZ, 0);
    int to_divide = n - 1;
    EMIT(LOAD, 2, PUSH, 1, ADD, STORE, 2, JMP, 0);
    int to_next = n - 1;
    code[to_divide] = n;
    EMIT(LOAD, 1, LOAD, 3, MOD, JZ, 0);
    int to_next_too = n - 1;
    EMIT(LOAD, 3, PUSH, 1, ADD, STORE, 3, JMP, inner);
    code[to_next] = code[to_next_too] = n;
    EMIT(LOAD, 1, PUSH, 1, ADD, STORE, 1, JMP, outer);
    code[to_halt] = n;
    EMIT(HALT);
    long limit = argc < 2 ? 400000 : strtol(argv[1], NULL, 10);
    if (limit <= 0)
        return 1;
    long locals[4] = { limit, 0, 0, 0 };
    printf("bytecode %ld\n", run(code, locals));
    return 0;
}
