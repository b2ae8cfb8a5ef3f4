package state

import (
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

const bucketReviews = "reviews"

// Review is one that a forge reported: an approval of a pull request when Commit was its head.
type Review struct {
	Forge  string       `json:"forge"`
	Login  string       `json:"login"`
	Commit lcm.Revision `json:"commit"`
	At     time.Time    `json:"at"`
}

// Reviews returns what forges said last of the pull request that a commit of the branch merges; it reports whether
// they were ever asked.
func (db *DB) Reviews(step lcm.Revision) (reviews []Review, ok bool, err error) {
	err = db.view(func(t *tx) error {
		ok, err = t.get(bucketReviews, string(step), &reviews)
		return err
	})
	return reviews, ok, err
}

// SaveReviews records what forges say. It is kept, so that a commit that was accepted by it can be judged
// again when the forge says something else, or nothing.
func (db *DB) SaveReviews(step lcm.Revision, reviews []Review) error {
	if reviews == nil {
		reviews = []Review{}
	}
	return db.update(func(t *tx) error { return t.put(bucketReviews, string(step), reviews) })
}
