/* chase - follows pointers through a random cycle, first one that fits into the first-level cache, then one of 16 MiB
 *
 * Usage: chase [million steps=15]
 * Output: "chase checksum".  Exit status 1 on a bad argument or when memory is short.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct node { struct node *next; uint64_t value; };

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Links the nodes to one cycle in random order (Sattolo's algorithm). */
static void link_cycle(struct node *nodes, size_t count)
{
    size_t *order = malloc(count * sizeof *order);
    if (order == NULL)
        exit(1);
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = next_random() % i, swap = order[i];
        order[i] = order[j];
        order[j] = swap;
    }
    for (size_t i = 0; i < count; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % count]];
        nodes[order[i]].value = i;
    }
    free(order);
}

static uint64_t chase(size_t count, long steps)
{
    struct node *nodes = malloc(count * sizeof *nodes);
    if (nodes == NULL)
        exit(1);
    link_cycle(nodes, count);
    uint64_t sum = 0;
    for (struct node *node = nodes; steps > 0; steps--, node = node->next)
        sum += node->value;
    free(nodes);
    return sum;
}

int main(int argc, char **argv)
{
    long millions = argc < 2 ? 15 : strtol(argv[1], NULL, 10);
    if (millions <= 0)
        return 1;
    uint64_t sum = chase(1024, millions * 800000);
    sum += chase(1 << 20, millions * 200000);
    printf("chase %llu\n", (unsigned long long)sum);
    return 0;
}
