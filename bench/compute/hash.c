/* hash - the work of a key-value store: strings in a chained hash table that grows
 *
 * Sets n keys, reads each twice in another order, increments counters behind a tenth of them, deletes every third.
 *
 * Usage: hash [n=300000]
 * Output: "hash checksum".  Exit status 1 on a bad argument or a wrong answer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct entry *next;
    uint64_t hash;
    long counter;
    char *value;
    char key[];
};

static struct entry **buckets;
static size_t size = 4, used;

/* FNV-1a. */
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3;
    return hash;
}

static struct entry **find(const char *key, uint64_t hash)
{
    struct entry **at = &buckets[hash & (size - 1)];
    while (*at && ((*at)->hash != hash || strcmp((*at)->key, key) != 0))
        at = &(*at)->next;
    return at;
}

static void grow(void)
{
    struct entry **old = buckets;
    size_t before = size;
    size *= 2;
    buckets = calloc(size, sizeof *buckets);
    for (size_t i = 0; i < before; i++)
        for (struct entry *entry = old[i], *next; entry; entry = next) {
            next = entry->next;
            entry->next = buckets[entry->hash & (size - 1)];
            buckets[entry->hash & (size - 1)] = entry;
        }
    free(old);
}

static void set(const char *key, const char *value)
{
    uint64_t hash = hash_of(key);
    struct entry **at = find(key, hash);
    if (!*at) {
        if (++used > size) {
            grow();
            at = find(key, hash);
        }
        *at = calloc(1, sizeof **at + strlen(key) + 1);
        (*at)->hash = hash;
        strcpy((*at)->key, key);
    }
    free((*at)->value);
    (*at)->value = strdup(value);
}

static void delete(const char *key)
{
    struct entry **at = find(key, hash_of(key)), *entry = *at;
    if (!entry)
        return;
    *at = entry->next;
    used--;
    free(entry->value);
    free(entry);
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 300000;
    if (n <= 0)
        return 1;
    buckets = calloc(size, sizeof *buckets);
    char key[64], value[64];
    uint64_t sum = 0;
    for (long i = 0; i < n; i++) {
        snprintf(key, sizeof key, "user:%ld:name", i);
        snprintf(value, sizeof value, "value-%ld", i * 7);
        set(key, value);
    }
    for (long i = 0; i < 2 * n; i++) {
        snprintf(key, sizeof key, "user:%ld:name", (long)((uint64_t)i * 2654435761u % (uint64_t)n));
        struct entry *entry = *find(key, hash_of(key));
        if (!entry)
            return 1;
        sum = sum * 31 + strlen(entry->value);
        if (i % 10 == 0)
            entry->counter++;
    }
    for (long i = 0; i < n; i += 3) {
        snprintf(key, sizeof key, "user:%ld:name", i);
        delete(key);
    }
    if (used != (size_t)(n - (n + 2) / 3))
        return 1;
    printf("hash %llu\n", (unsigned long long)sum);
    return 0;
}
