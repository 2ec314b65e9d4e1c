/*
 * How an order is read, decided and committed, by two edges, with a master, a replica and
 * a backup: "make model" runs it through spin.  With none of the macros below every
 * assertion holds; with each of them spin finds a run that breaks one, which shows that
 * the model can tell.
 *
 *   SHOW_EARLY   the key is sent before its view is committed         breaks I1
 *   NO_GUARD     a commit does not compare what was read              breaks R5, I2, I3
 *   NO_WAIT      durability=none, and the master fails                breaks I2
 *   NO_LOOKUP    a confirmation sent again is not found by its nonce  breaks I3
 *   TWO_STEPS    the outbox is written after the order, apart         breaks I10
 *   ACK_EARLY    a consumer acknowledges an event before its work     breaks I10
 *   REVISION     the guard compares the revision alone; see RESTORE   breaks R5
 *
 * RESTORE lets the operator restore a backup at any time, instead of a failover.  A
 * restored order may show its key again, by definition: I2 is not asserted then, but that
 * a cancelled order shows none (R5) still is.
 *
 * A MAC stands for all that it covers: two commits never have the same one, which the
 * counter "macs" says.  Time, encryption and the form's own checks are left out.
 */

#define VIEW    1
#define REPEAT  2
#define CANCEL  3

#define bit(n)  (1 << (n))


/* mpk_order_t, as a server has it; sets of MACs for the journal and the outbox. */
typedef Order {
    byte  revision;
    byte  mac;              /* of the head, and of its newest entry */
    bool  cancelled;
    byte  nonce;            /* of the link's use; 0: not used */
    byte  views;            /* entries "viewed" */
    int   journal;
    int   outbox;
    int   acked;            /* by the consumer group */
    byte  writes            /* the replication offset */
};

Order  master, replica, backup;

byte  macs;                 /* so many commits so far */
byte  epoch;                /* so many failovers */
bool  restored;
bool  shown[3];             /* keys were sent to a confirmation with this nonce */
int   delivered;            /* events that a consumer has worked on */
byte  running = 3;
bool  settled;              /* the servers stay as they are from here on */


inline copy(to, from)
{
    to.revision = from.revision;
    to.mac = from.mac;
    to.cancelled = from.cancelled;
    to.nonce = from.nonce;
    to.views = from.views;
    to.journal = from.journal;
    to.outbox = from.outbox;
    to.acked = from.acked;
    to.writes = from.writes
}


/* NGX_HTTP_MPK_SCRIPT_COMMIT with the fields of ngx_http_mpk_commit_fields(). */

inline commit(kind, nonce_)
{
    macs++;
    master.revision++;
    master.mac = macs;
    master.journal = master.journal | bit(macs);
    master.writes++;
    mine = macs;

    if
    :: kind == VIEW -> assert(!master.cancelled); master.nonce = nonce_; master.views++
    :: kind == REPEAT -> assert(!master.cancelled)
    :: kind == CANCEL -> master.cancelled = true
    fi;

#ifndef TWO_STEPS
    master.outbox = master.outbox | bit(macs);
#endif
}


#if defined(NO_GUARD)
#define unchanged  true
#elif defined(REVISION)
#define unchanged  (master.revision == revision)
#else
#define unchanged  (master.revision == revision && master.mac == mac)
#endif


/*
 * A confirmation, sent again once with the same nonce if its answer is lost:
 * ngx_http_mpk_txn_read(), mpk_policy_view(), ngx_http_mpk_txn_commit(),
 * ngx_http_mpk_txn_commit_handler(), ngx_http_mpk_reveal_keys().
 */

proctype Confirm(byte nonce)
{
    byte  revision, mac, used, kind, mine, since, offset, tries, sent;
    bool  cancelled, done;

send:
    sent++;
    tries = 0;

read:
    atomic {
        revision = master.revision;
        mac = master.mac;
        used = master.nonce;
        cancelled = master.cancelled
    };

    if
    :: cancelled -> goto end
    :: !cancelled && used != 0 && used != nonce -> goto end
    :: else
    fi;

#ifdef NO_LOOKUP
    kind = VIEW;
#else
    kind = (used == nonce -> REPEAT : VIEW);
#endif

#ifdef SHOW_EARLY
    shown[nonce] = true;
#endif

    if
    :: goto again                               /* the commit is lost on its way */
    :: atomic {
           done = false;
           if
           :: unchanged ->
                  commit(kind, nonce);
                  since = epoch;
                  offset = master.writes;
                  done = true
           :: else
           fi
       }
    fi;

    if
    :: !done -> tries++;
       if
       :: tries < 2 -> goto read                /* ngx_http_mpk_txn_again() */
       :: else -> goto end
       fi
    :: else
    fi;

#ifdef TWO_STEPS
    if
    :: goto again                               /* killed in between */
    :: atomic { master.outbox = master.outbox | bit(mine) }
    fi;
#endif

    /* WAIT: the replica has it, and the connection is the one that it was sent by */

    if
    :: goto again                               /* the answer is lost: "lost" */
#ifndef NO_WAIT
    :: atomic { since == epoch && replica.writes >= offset -> shown[nonce] = true }
#else
    :: atomic { shown[nonce] = true }
#endif
    fi;

    goto end;

again:
    if
    :: sent < 2 -> goto send
    :: goto end
    fi;

end:
    running--
}


/* The shop cancels the order before anything was delivered: mpk_policy_cancel(). */

proctype Shop()
{
    byte  revision, mac, mine, used;
    bool  cancelled;

    atomic {
        revision = master.revision;
        mac = master.mac;
        used = master.nonce;
        cancelled = master.cancelled
    };

    if
    :: used == 0 && !cancelled ->
           atomic {
               if
               :: unchanged -> commit(CANCEL, 0)
#ifdef TWO_STEPS
                  ; master.outbox = master.outbox | bit(mine)
#endif
               :: else
               fi
           }
    :: else
    fi;

    running--
}


/* The servers: replication, a failover, a backup and its restoration. */

proctype Servers()
{
    byte  failovers;
    bool  saved;

    do
    :: atomic { replica.writes != master.writes || replica.mac != master.mac -> copy(replica, master) }
#ifndef RESTORE
    :: atomic { failovers == 0 -> failovers = 1; copy(master, replica); epoch++ }
#else
    :: atomic { !saved -> saved = true; copy(backup, master) }
    :: atomic { saved && !restored -> restored = true;
           backup.writes = master.writes + 1; backup.acked = master.acked;
           copy(master, backup) }
#endif
    :: running == 0 -> break
    od;

    settled = true
}


/* A consumer of the outbox: it works, then acknowledges; it can be killed in between. */

proctype Consumer()
{
    byte  event;
    int   left;

    do
    :: atomic {
           (master.outbox & ~master.acked) != 0 ->
               left = master.outbox & ~master.acked;
               event = 1;
               do
               :: (left & bit(event)) != 0 -> break
               :: else -> event++
               od
       };
#ifdef ACK_EARLY
       master.acked = master.acked | bit(event);
       if
       :: delivered = delivered | bit(event)
       :: skip                                  /* killed */
       fi
#else
       delivered = delivered | bit(event);
       if
       :: atomic { (master.outbox & bit(event)) != 0 -> master.acked = master.acked | bit(event) }
       :: skip
       fi
#endif
    :: settled && (master.outbox & ~master.acked) == 0 -> break
    od
}


/* What must never happen (DESIGN's I1, I2, I3, I10), in each state and at the end. */

proctype Monitor()
{
    atomic {
        timeout;

        /* I10: what the journal has, a consumer got */

        assert((master.journal & ~delivered) == 0);

        /* I1, I3: what was shown is in the journal, once */

        assert(restored || !shown[1] || (master.nonce == 1 && master.views == 1));
        assert(restored || !shown[2] || (master.nonce == 2 && master.views == 1))
    }
}

proctype Always()
{
    do
    :: atomic {
           (!restored && ((shown[1] && shown[2]) || master.views > 1)) ->
           assert(false)                        /* I2, I3 */
       }
    :: running == 0 -> break
    od
}


init
{
    atomic {
        run Confirm(1);
        run Confirm(2);
        run Shop();
        run Servers();
        run Consumer();
        run Always();
        run Monitor()
    }
}
