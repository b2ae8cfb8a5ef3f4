// Package leader has several replicas of a daemon, with one etcd between them, agree on the one that is in office, and
// keeps their state there.
//
// The office is a key with a lease. Who makes it is in office for as long as the lease lives, and a term has a number
// that no term before it had. A term ends, here, before the lease can have ended there: each renewal counts from before
// it was asked for. Each transaction that writes the state demands that the key is still that of the term. So nothing
// that a former holder had under way, however late it arrives, changes the state; and what it writes to a target bears
// its number, which the target compares with the highest that it has seen: see store.Marker.
//
// The keys, below the prefix:
//
//	office                               who holds it: JSON
//	term                                 the number of the last term, in decimal
//	pokes/<repository>                   when a follower last heard that a pass is wanted
//	state/<repository>/records/<record>  the records of a state; a large one in parts
//	state/<repository>/redo              that a large update is decided, and how many chunks it has
//	state/<repository>/chunks/<n>        its chunks
package leader
