package state

import "github.com/llm-config-manager/lcm/internal/lcm"

// OpenIntents returns all intents that were not ended: wherever something may still be written, there is one.
func (db *DB) OpenIntents() (map[lcm.Namespace]Intent, error) {
	open := map[lcm.Namespace]Intent{}
	err := db.view(func(t *tx) error {
		return each(t, bucketIntents, "", func(key string, raw []byte) error {
			ns, err := lcm.ParseNamespace(key)
			if err != nil {
				return err
			}
			var i Intent
			if err := t.open(bucketIntents, key, raw, &i); err != nil {
				return err
			}
			open[ns] = i
			return nil
		})
	})
	return open, err
}
