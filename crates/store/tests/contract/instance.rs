//! Facts about the instance as a whole.

use crate::world::World;

on_both_databases! {
    async fn a_fact_is_set_replaced_and_removed(world: World) {
        let mut unit = world.write().await;
        assert_eq!(unit.instance_fact("f").await.unwrap(), None);
        unit.set_instance_fact("f", "one").await.unwrap();
        unit.set_instance_fact("f", "two").await.unwrap();
        unit.set_instance_fact("g", "other").await.unwrap();
        assert_eq!(unit.instance_fact("f").await.unwrap().as_deref(), Some("two"));
        unit.remove_instance_fact("f").await.unwrap();
        unit.remove_instance_fact("f").await.unwrap();
        assert_eq!(unit.instance_fact("f").await.unwrap(), None);
        assert_eq!(unit.instance_fact("g").await.unwrap().as_deref(), Some("other"));
    }

    async fn the_clock_never_sinks(world: World) {
        let mut unit = world.write().await;
        for (raise, stands) in [(100, "100"), (99, "100"), (100, "100"), (101, "101"), (-5, "101")] {
            unit.raise_clock(raise).await.unwrap();
            let known = unit.instance_fact("clock_high_water").await.unwrap();
            assert_eq!(known.as_deref(), Some(stands), "after {raise}");
        }
    }
}
